# SPDX-License-Identifier: Apache-2.0
"""Puts the commands together and turns what goes wrong into a line and an exit code.

0: done. 1: something that was checked did not agree. 2: wrong input, a missing tool, no space. 130: Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from codesign import __version__
from codesign.cli import (
    agree,
    bench,
    build,
    check,
    detect,
    diff,
    digits,
    disasm,
    doctor,
    download,
    eval,
    export,
    faults,
    fuzz,
    package,
    ptq,
    report,
    selftest,
    sensitivity,
    study,
    sweep,
    timing,
    train,
)
from codesign.errors import UserError

INTERRUPTED = "interrupted; run the same command to resume"

app = typer.Typer(
    name="codesign",
    help="Train, lower, generate, simulate and verify FPGA accelerators for deformable object detectors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"codesign {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


app.command("build")(build.build_command)
app.command("package")(package.package_command)
app.command("report")(report.report_command)
app.command("bench")(bench.bench_command)
app.command("sweep")(sweep.sweep_command)
app.command("timing")(timing.timing_command)
app.command("train")(train.train_command)
app.command("ptq")(ptq.ptq_command)
app.command("sensitivity")(sensitivity.sensitivity_command)
app.add_typer(study.study_app, name="study")
app.command("eval")(eval.eval_command)
app.command("agree")(agree.agree_command)
app.command("detect")(detect.detect_command)
app.command("diff")(diff.diff_command)
app.command("check")(check.check_command)
app.command("export")(export.export_command)
app.command("digits")(digits.digits_command)
app.command("disasm")(disasm.disasm_command)
app.command("faults")(faults.faults_command)
app.command("fuzz")(fuzz.fuzz_command)
app.command("selftest")(selftest.selftest_command)
app.command("doctor")(doctor.doctor_command)
app.command("download")(download.download_command)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the answer is the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = int(app(given, prog_name="codesign", standalone_mode=False) or 0)
        return _say(INTERRUPTED, code) if code == 130 else code  # typer answers Ctrl-C with 130
    except (KeyboardInterrupt, typer.Abort):
        return _say(INTERRUPTED, 130)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes it at exit
        return 141
    except UserError as error:
        return _failed(error, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(error, f"{where}{error.strerror or error}")
    except MemoryError as error:
        return _failed(error, "not enough memory")
    except Exception as error:
        format_message = getattr(error, "format_message", None)  # a wrong option or argument
        if format_message is None:
            name = type(error).__name__
            return _failed(error, f"internal error: {name}: {error}; set CODESIGN_DEBUG=1 for the traceback")
        context = getattr(error, "ctx", None)
        helped = f"{context.command_path} --help lists the options" if context and context.parent else "codesign --help lists the commands"
        return _failed(error, f"{format_message()} ({helped})")


def _failed(error: BaseException, message: str) -> int:
    if os.environ.get("CODESIGN_DEBUG") == "1":
        raise error
    return _say(message, 2)


def _say(message: str, code: int) -> int:
    print(f"codesign: {' '.join(message.split())}", file=sys.stderr)
    return code

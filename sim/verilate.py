# SPDX-License-Identifier: Apache-2.0
"""Compile the accelerator's Verilog and the harness into a shared library, once per content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig
from sim import pins, toolchain
from sim.bench import locked
from sim.twin import edited, simulated

HERE = Path(__file__).resolve().parent
SOURCES = ("harness.cpp", "dram.hpp", "monitor.hpp", "twin/array.hpp")
LIBRARY = "libsim.so"
CXX_FLAGS = "-fPIC -march=native -fno-semantic-interposition -fvisibility-inlines-hidden"
#: The fast path is optimised fully; what runs once (construction, reset) is not worth the compile time.
MAKE = ("OPT_FAST=-O3", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")
#: Compiled in a fraction of the time, for accelerators that simulate little.
MAKE_QUICK = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
SPLIT = ("--output-split", "20000", "--output-split-cfuncs", "5000")

Log = Callable[[str], None]


def _silent(_: str) -> None:
    pass


def build(
    verilog: str | Path,
    config: AcceleratorConfig,
    out_dir: str | Path | None = None,
    log: Log = _silent,
    waves: bool = False,
    jobs: int | None = None,
    quick: bool = False,
) -> Path:
    """The library for this Verilog (a text, or the path of a file), in ``out_dir`` or the user's cache. What is compiled
    has the twins of `sim.twin`. ``quick`` compiles sooner what then runs slower.

    Built only if ``out_dir`` does not hold it yet; an interrupted build leaves nothing that looks finished.
    Raises `UserError` with the path of the compiler's output when it fails.
    """
    given = verilog.read_text() if isinstance(verilog, Path) else verilog
    if edited(given):
        log("simulator: the Verilog was edited; it is simulated as it stands, which is slower")
    text = simulated(given)
    base = Path(out_dir).resolve() if out_dir else toolchain.cache_directory() / "frames"
    tools = toolchain.find()
    header, text = pins.header(text, config), pins.wrapped(text)
    make = MAKE_QUICK if quick else MAKE
    done = base / f"sim-{_key(text, header, tools, waves, make)}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        with locked(base / ".lock"):
            if (done / LIBRARY).exists():
                log(f"simulator: found {done / LIBRARY}")
            else:
                _build(text, header, done, tools, waves, jobs or os.cpu_count() or 1, make, log)
    except OSError as error:
        raise UserError(f"cannot build the simulator in {base}: {error.strerror}") from error
    return done / LIBRARY


def _key(text: str, header: str, tools: toolchain.Toolchain, waves: bool, make: tuple[str, ...]) -> str:
    parts = [
        text,
        header,
        str(tools),
        str(waves),
        CXX_FLAGS,
        *make,
        *SPLIT,
        *toolchain.VERILATOR_FAST,
        _processor(),
    ]
    parts += [(HERE / name).read_text() for name in SOURCES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _processor() -> str:
    """-march=native ties the library to the processor's instruction set."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return line
    return ""


def _build(
    text: str, header: str, done: Path, tools: toolchain.Toolchain, waves: bool, jobs: int, flags: tuple[str, ...], log: Log
) -> None:
    for stale in done.parent.glob(".building-*"):  # of a build that was killed: this one holds the lock
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=done.parent))
    report = done.parent / "simulator-build.log"
    began = time.monotonic()
    try:
        (work / "top.v").write_text(text)
        (work / "pins.hpp").write_text(header)
        report.write_text("")
        log("simulator: Verilator translates the accelerator to C++")
        _run(_verilate_command(tools, work, waves), work, tools.environment(waves), report)
        log(f"simulator: compiling with {jobs} jobs")
        make = [str(tools.make), f"-j{jobs}", "-C", "obj", "-f", "Vtop.mk", *flags, LIBRARY]
        _run(make, work, tools.environment(waves), report)
        finished = work / "finished"
        finished.mkdir()
        for name in ("top.v", "pins.hpp", f"obj/{LIBRARY}"):
            shutil.move(work / name, finished / Path(name).name)
        finished.rename(done)
        log(f"simulator: built in {time.monotonic() - began:.0f} s")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _verilate_command(tools: toolchain.Toolchain, work: Path, waves: bool) -> list[str]:
    command = [
        str(tools.verilator),
        "--cc",
        "--exe",
        "--top-module",
        pins.TOP,
        "--prefix",
        "Vtop",
        "-Mdir",
        "obj",
    ]
    command += [*toolchain.VERILATOR_FAST, *SPLIT, "-CFLAGS", f"{CXX_FLAGS} -I{HERE} -I{work}"]
    command += ["-LDFLAGS", "-shared", "-o", LIBRARY, *(["--trace-vcd"] if waves else [])]
    return [*command, "top.v", str(HERE / "harness.cpp")]


def _run(command: list[str], cwd: Path, env: dict[str, str], report: Path) -> None:
    """The command in a group of its own, which ends when this process does, even of SIGKILL."""
    with open(report, "a") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
        try:
            with _watched(process.pid):
                code = process.wait()
        except BaseException:  # Ctrl-C reaches this process only
            _end(process)
            raise
    if code:
        tool = Path(command[0]).name
        raise UserError(
            f"building the simulator failed ({tool} ended with {code}); its output is in {report}"
        )


@contextlib.contextmanager
def _watched(group: int) -> Iterator[None]:
    """A shell that waits for this process' end of a pipe to close, then ends the group."""
    script = 'read -r _; kill -s TERM -- "-$1"; sleep 1; kill -s KILL -- "-$1"'
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", script, "watcher", str(group)],
        cwd="/", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        watcher.kill()  # before its pipe closes
        watcher.wait()
        if watcher.stdin:
            watcher.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

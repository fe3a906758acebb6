# SPDX-License-Identifier: Apache-2.0
"""Run cocotb tests of one Amaranth component on Verilator; the compiled simulator is cached by its content.

    run_bench(SyncFIFO(...), "tests.hw.bench_fifo", "fifo_depth4", {"idle": 0.5}, seed=3)

Inside the bench module, `parameters()` returns the dictionary, `random_source()` a generator from the seed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sim import toolchain

PARAMETERS = "CODESIGN_BENCH_PARAMETERS"
SEED = "CODESIGN_BENCH_SEED"
ROOT = Path(__file__).resolve().parents[1]

#: Only top-level ports are visible to cocotb: three times the speed of everything public.
PUBLIC_TOP = """`verilator_config
public_flat_rw -module "{top}" -port "*"
"""


class BenchFailed(AssertionError):
    """A cocotb test failed; the message holds the tests' names and where the log lies."""


def parameters() -> dict[str, Any]:
    """The parameters that `run_bench` was called with (to be called inside a bench module)."""
    return json.loads(os.environ.get(PARAMETERS, "{}"))


def seed() -> int:
    """The seed that `run_bench` was called with."""
    return int(os.environ.get(SEED, "0"))


def random_source(purpose: str = "") -> random.Random:
    """A generator from the seed; one per ``purpose``, so that adding one leaves the others as they were."""
    return random.Random(f"{seed()}/{purpose}")


def to_verilog(component: Any, top: str) -> str:
    """Verilog of an Amaranth component whose module is called ``top``."""
    from amaranth.back import verilog

    return verilog.convert(component, name=top, emit_src=False)


def run_bench(
    component: Any,
    bench_module: str,
    name: str,
    parameters: dict[str, Any] | None = None,
    seed: int = 0,
    waves: bool = False,
    build_dir: str | Path | None = None,
    testcase: str | None = None,
) -> None:
    """Build ``component`` (once per content) and run the cocotb tests of ``bench_module`` on it.

    ``name`` names the Verilog module and the run's folder, ``parameters`` must be JSON. Raises `BenchFailed`;
    the run's folder, with log and (``waves`` or CODESIGN_WAVES=1) dump.vcd, is then kept and named in it.
    """
    top = re.sub(r"\W", "_", name)
    waves = waves or os.environ.get("CODESIGN_WAVES") == "1"
    base = Path(build_dir) if build_dir else toolchain.cache_directory() / "bench"
    built = _build(to_verilog(component, top), top, base.resolve(), waves)
    run_dir = Path(tempfile.mkdtemp(prefix=f"{top}-", dir=base))
    environment = {PARAMETERS: json.dumps(parameters or {}), SEED: str(seed)}
    failed = _run(built, top, bench_module, run_dir, environment, seed, waves, testcase)
    if failed:
        log = run_dir / "log"
        raise BenchFailed(f"{bench_module} on {name}, seed {seed}: {failed}\nlog: {log}\n{_tail(log)}")
    if not waves:
        shutil.rmtree(run_dir, ignore_errors=True)


def _tail(path: Path, lines: int = 60) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time builds the same thing."""
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _runner() -> Any:
    from cocotb_tools.runner import get_runner

    runner = get_runner("verilator")
    runner.log.setLevel("WARNING")
    return runner


def _build(text: str, top: str, base: Path, waves: bool) -> Path:
    tools = toolchain.find()
    args = [*toolchain.VERILATOR_FAST, "--no-public-flat-rw", "-CFLAGS", "-O2 -march=native"]
    key = hashlib.sha256("\0".join([text, *args, str(waves), sys.executable]).encode()).hexdigest()[:24]
    done = base / f"{top}.{key}"
    base.mkdir(parents=True, exist_ok=True)
    with locked(base / f".{key}.lock"):
        if not done.exists():
            _compile(text, top, done, args, tools.environment(waves), waves)
    return done


def _compile(text: str, top: str, done: Path, args: list[str], env: dict[str, str], waves: bool) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{top}-", dir=done.parent))
    (work / f"{top}.v").write_text(text)
    (work / "public.vlt").write_text(PUBLIC_TOP.format(top=top))
    log = work / "build.log"
    try:
        with toolchain.applied(env):
            _runner().build(
                sources=[work / "public.vlt", work / f"{top}.v"],
                hdl_toplevel=top,
                always=True,
                build_dir=work,
                build_args=args,
                waves=waves,
                timescale=("1ns", "1ps"),
                log_file=log,
            )
    except (SystemExit, Exception) as error:
        raise BenchFailed(f"building {top} failed ({error}); log: {log}\n{_tail(log)}") from error
    for leftover in (*work.glob("*.o"), *work.glob("*.gch"), *work.glob("*.a")):
        leftover.unlink()
    work.rename(done)


def _run(
    built: Path,
    top: str,
    module: str,
    run_dir: Path,
    extra: dict[str, str],
    seed: int,
    waves: bool,
    testcase: str | None,
) -> str:
    """Run; the answer says what failed, or is empty."""
    results = run_dir / "results.xml"
    env = toolchain.find().environment(waves) | {"PYTHONPATH": str(ROOT)}
    failure = contextlib.suppress(SystemExit, RuntimeError)  # the results file below says what failed
    with toolchain.applied(env), _on_path(ROOT), failure:
        _runner().test(
            test_module=module,
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=built,
            test_dir=run_dir,
            seed=seed,
            waves=waves,
            testcase=testcase,
            results_xml=str(results),
            log_file=run_dir / "log",
            extra_env=extra,
            timescale=("1ns", "1ps"),
        )
    return _failures(results)


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """The simulator's Python gets this process' sys.path."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _failures(results: Path) -> str:
    if not results.exists():
        return "the simulator ended without results"
    cases = list(ElementTree.parse(results).iter("testcase"))
    if not cases:
        return "no cocotb test was found"
    failed = [
        case.get("name", "?")
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return f"failed: {', '.join(failed)}" if failed else ""

# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of the arithmetic on every mutant, in a copy of the tree, and keeps what came out."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
FILES = ("codesign/golden/engine.py", "codesign/golden/stats.py", "codesign/golden/sums.py", "codesign/numeric.py")
TESTS = ("tests/test_numeric.py", "tests/test_numeric_edges.py", "tests/golden")  # NumPy alone, so that a mutant costs a second
TIMED = "test_frame_of_b_runs_under_a_second"  # a slow machine would kill every mutant
SECONDS, MEMORY = 60, 4 << 30  # of one mutant: processor time, address space
KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timed out"


def all_mutants() -> Iterator[tuple[str, Mutant]]:
    """(file, mutant), in order."""
    for file in FILES:
        for mutant in mutants((ROOT / file).read_text()):
            yield file, mutant


def digest(*paths: str) -> str:
    """Of the Python files named or under the folders named."""
    found = sorted(p for path in paths for p in ((ROOT / path).rglob("*.py") if (ROOT / path).is_dir() else [ROOT / path]))
    return hashlib.sha256(b"".join(p.read_bytes() for p in found)).hexdigest()[:12]


def earlier(results: Path) -> dict[tuple[str, str], dict]:
    """Results by (file, name) that still hold: of this very file; a survivor's only under these very tests."""
    now, tests, kept = {file: digest(file) for file in FILES}, digest(*TESTS), {}
    for line in results.read_text().splitlines() if results.exists() else []:
        row = json.loads(line)
        if row["source"] == now.get(row["file"]) and (row["status"] != SURVIVED or row["tests"] == tests):
            kept[row["file"], row["name"]] = row
    return kept


def run(results: Path, tree: Path) -> dict[tuple[str, str], dict]:
    """Run what ``results`` (JSON lines) lacks, appending to it; ``tree`` is the folder of the copy. All results."""
    found, todo = earlier(results), []
    for file, mutant in all_mutants():
        if (file, mutant.name) not in found:
            todo.append((file, mutant))
    print(f"{len(found)} mutants done, {len(todo)} to run", flush=True)
    if not todo:
        return found
    _copy(tree)
    _import_what_tests_share()
    if _outcome(tree) != SURVIVED:
        raise RuntimeError("the tests fail without a mutant")
    start = time.monotonic()
    with results.open("a") as out:
        for done, (file, mutant) in enumerate(todo, 1):
            row = _try(tree, file, mutant)
            found[file, mutant.name] = row
            out.write(json.dumps(row) + "\n")
            out.flush()
            pace = (time.monotonic() - start) / done
            print(
                f"{done}/{len(todo)} {row['status']:9} {row['seconds']:5.1f} s, {pace * (len(todo) - done):5.0f} s to go:"
                f" {file}:{mutant.line} {mutant.name}",
                flush=True,
            )
    return found


def _copy(tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    leave = shutil.ignore_patterns("__pycache__", ".*", "models")
    for folder in ("codesign", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", tree)


def _try(tree: Path, file: str, mutant: Mutant) -> dict:
    target, start = tree / file, time.monotonic()
    try:
        target.write_text(mutant.source)
        status = _outcome(tree, file)
    finally:
        shutil.copy(ROOT / file, target)
    row = {"file": file, "name": mutant.name, "kind": mutant.kind, "line": mutant.line, "status": status}
    return row | {"seconds": round(time.monotonic() - start, 2), "source": digest(file), "tests": digest(*TESTS)}


def _import_what_tests_share() -> None:
    """So that a forked child need not; nothing of ours may be among it."""
    import hypothesis
    import numpy.random
    import pytest

    assert hypothesis and numpy.random and pytest


def _outcome(tree: Path, file: str = "") -> str:
    """Of the tests on the tree as it is, in a child that stops at the first failure; those closest to ``file`` first."""
    tests = sorted(TESTS, key=lambda path: Path(path).stem.removeprefix("test_") not in file)
    child = os.fork()
    if child == 0:
        status = 1  # a mutant that cannot even be imported
        try:
            status = _child(tree, tests)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return TIMEOUT if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM) else KILLED
    return SURVIVED if os.WEXITSTATUS(status) == 0 else KILLED


def _child(tree: Path, tests: list[str]) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(10 * SECONDS)
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    os.chdir(tree)
    for name in [n for n in sys.modules if n.split(".")[0] in ("tests", "codesign")]:
        del sys.modules[name]
    sys.path[:] = [str(tree), *(p for p in sys.path if p and Path(p).resolve() != ROOT)]
    sys.dont_write_bytecode = True
    import pytest
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(  # the same examples for every mutant; a slow machine fails none
        "mutation", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    settings.load_profile("mutation")
    import codesign

    assert Path(codesign.__file__).is_relative_to(tree)
    args = ["-x", "-q", "-p", "no:cacheprovider", "--timeout=0", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    args += ["-k", f"not {TIMED}"]
    return int(pytest.main([*args, *tests]))

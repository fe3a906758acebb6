# SPDX-License-Identifier: Apache-2.0
"""Data flows one way: no import runs back. Walks the sources; nothing is imported."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = ("codesign", "hw", "sim", "boards")
TORCH = {"torch", "brevitas"}
HEAVY = TORCH | {"amaranth", "hls4ml", "onnx", "qonnx", "sklearn", "scipy", "cocotb"}

#: part -> packages of ours it may import, beside itself
OURS: dict[str, tuple[str, ...]] = {
    "codesign.errors": (),
    "codesign.bounded": ("codesign.errors",),
    "codesign.json_lines": ("codesign.errors", "codesign.bounded"),
    "codesign.numeric": ("codesign.errors",),
    "codesign.graph": ("codesign.errors", "codesign.bounded", "codesign.numeric"),
    "codesign.golden": ("codesign.errors", "codesign.numeric", "codesign.graph"),
    "codesign.program": ("codesign.errors", "codesign.numeric"),
    "codesign.boards": ("codesign.errors", "codesign.bounded", "codesign.program"),
    "codesign.plan": ("codesign.errors", "codesign.numeric", "codesign.graph", "codesign.program", "codesign.boards"),
    "codesign.decode": ("codesign.errors", "codesign.numeric"),
    "codesign.runtime": (
        "codesign.errors", "codesign.numeric", "codesign.program", "codesign.decode", "codesign.boards",
    ),
    "codesign.verify": (
        "codesign.errors", "codesign.numeric", "codesign.graph", "codesign.golden", "codesign.program",
        "codesign.plan", "codesign.boards", "codesign.runtime", "codesign.lower", "sim", "hw",
    ),
    "codesign.data": ("codesign.errors", "codesign.bounded"),
    "codesign.evaluate": ("codesign.errors", "codesign.decode"),
    "codesign.nn": ("codesign.errors", "codesign.bounded", "codesign.numeric"),
    "codesign.train": (
        "codesign.errors", "codesign.bounded", "codesign.data", "codesign.nn", "codesign.decode", "codesign.evaluate", "codesign.numeric",
    ),
    "codesign.quantise": (
        "codesign.errors", "codesign.bounded", "codesign.json_lines", "codesign.data", "codesign.nn", "codesign.decode", "codesign.evaluate",
        "codesign.train",
    ),
    "codesign.lower": (
        "codesign.errors", "codesign.numeric", "codesign.graph", "codesign.golden", "codesign.nn",
    ),
    "codesign.onnx": (
        "codesign.errors", "codesign.numeric", "codesign.graph", "codesign.plan", "codesign.program", "codesign.boards",
    ),
    "codesign.hls": ("codesign.errors", "codesign.numeric", "codesign.graph", "codesign.golden", "hw.hls"),
    "hw.hls": ("codesign.errors", "codesign.numeric"),
    "hw": ("codesign.errors", "codesign.numeric", "codesign.program"),
    "sim": ("codesign.errors", "codesign.numeric", "codesign.program", "codesign.boards", "codesign.runtime", "hw"),
    "boards": (),
}  # fmt: skip

#: part -> packages of others it must not import
FORBIDDEN: dict[str, set[str]] = {
    **{part: HEAVY for part in OURS if part.startswith("codesign.")},
    "codesign.nn": HEAVY - TORCH,
    "codesign.train": HEAVY - TORCH,
    "codesign.quantise": HEAVY - TORCH,
    "codesign.lower": HEAVY - TORCH - {"scipy"},
    "codesign.data": HEAVY - {"sklearn"},
    "codesign.onnx": HEAVY - {"onnx"},
    "codesign.hls": HEAVY - {"hls4ml"},
    "hw.hls": HEAVY - {"hls4ml", "torch"},
    "hw": HEAVY - {"amaranth"},
    "sim": HEAVY - {"amaranth", "cocotb"},
    "boards": HEAVY,
}
#: what runs where NumPy alone is installed, the board included
NUMPY_ONLY = ("codesign.golden", "codesign.plan", "codesign.program", "codesign.runtime", "codesign.decode", "codesign.numeric")
NUMPY_ONLY_ALLOWED = {"numpy", "codesign"}
#: steps, which may use everything of ours
STEPS = ("codesign.build", "codesign.cli", "codesign.report", "codesign.bench", "codesign.api", "codesign.doctor", "codesign.sweep",
         "codesign.timing", "codesign.diff", "codesign.package", "codesign.virtual", "codesign.vivado",
         "codesign.study", "codesign.selftest", "codesign.ecp5", "codesign.fuzz",
         "codesign.faults")  # fmt: skip
FILES = sorted(path for top in TOP for path in (ROOT / top).rglob("*.py"))


def module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Every module named in an import, wherever it stands; those under TYPE_CHECKING do not count."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def part_of(name: str) -> str | None:
    """The longest named part a module belongs to."""
    parts = [part for part in (*OURS, *STEPS) if name == part or name.startswith(part + ".")]
    return max(parts, key=len, default=None)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_no_import_runs_back(path):
    here = module(path)
    if here == "codesign":
        assert not {name for name in imports(path) if name.split(".")[0] in TOP}
        return
    part = part_of(here)
    assert part is not None, f"{here} belongs to no part of the architecture; name it in tests/test_imports.py"
    if part in STEPS:
        outside = {name.split(".")[0] for name in imports(path)}
        assert not outside & (HEAVY - TORCH - {"hls4ml", "onnx"}), f"{here} imports {outside & HEAVY}"
        return
    for name in imports(path):
        if name.split(".")[0] in TOP and name != "codesign":
            target = part_of(name)
            allowed = (part, *OURS[part])
            assert target in allowed, f"{here} imports {name}; {part} may import {', '.join(allowed)}"
        assert name.split(".")[0] not in FORBIDDEN.get(part, set()), f"{here} imports {name}"


@pytest.mark.parametrize("path", [p for p in FILES if (part_of(module(p)) or "") in NUMPY_ONLY], ids=module)
def test_what_runs_on_the_board_needs_numpy_alone(path):
    import sys

    outside = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    assert outside <= NUMPY_ONLY_ALLOWED, f"{module(path)} imports {outside - NUMPY_ONLY_ALLOWED}"

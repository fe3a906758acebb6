# SPDX-License-Identifier: Apache-2.0
"""Graphs, boards, sweeps, recipes, packages, programs and artefacts of a build folder.

Sound files, small, and the readers that commands use on them. Imports are where they are needed: a process reads some kinds.
"""

from __future__ import annotations

import io
import random
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.untrusted import damage


def _graph() -> Any:
    from codesign.selftest.network import graph

    return graph()


def graph(folder: Path) -> Path:
    from codesign.graph.files import save_graph

    save_graph(_graph(), folder / "graph.safetensors")
    return folder / "graph.safetensors"


def read_graph(path: Path) -> None:
    from codesign.graph.files import load_graph

    load_graph(path)


def board(folder: Path) -> Path:
    from codesign.boards import load_board

    (folder / "mine.toml").write_bytes(load_board("ulx3s-85f").path.read_bytes())
    return folder / "mine.toml"


def read_board(path: Path) -> None:
    from codesign.boards import load_board

    load_board(path)


def sweep(folder: Path) -> Path:
    from codesign.sweep.spec import SHIPPED

    (folder / "mine.toml").write_bytes((SHIPPED / "joint-digits.toml").read_bytes())
    return folder / "mine.toml"


def read_sweep(path: Path) -> None:
    from codesign.sweep.spec import load_spec

    load_spec(path)


def sweep_results(folder: Path) -> Path:
    from codesign.sweep.store import Store

    store = Store(folder / "sweep.db")
    numbers = {"clock_mhz": 100.0, "cycles": 4000, "latency_ms": 0.04, "fps": 25.0, "dram_bytes": 9, "macs": 99, "energy_uj": 0.1,
               "area": 0.2, "lut": 9000, "ff": 9000, "dsp": 90, "bram36": 9}  # fmt: skip
    rtl = {"mismatches": 0, "values": 9, "cycles": 4000, "errors": {"cycles": 0.01}}
    names = {"network": "b", "design": "pynq-z2:lanes=16", "board": "pynq-z2", "ap50": 0.9}
    store.put_points([{**names, **numbers, "fidelity": "rtl", "front": True, "rtl": rtl},
                      {**names, **numbers, "design": "pynq-z2", "ap50": None, "fidelity": "planned", "front": False}])  # fmt: skip
    store.note("sweep", {"name": "s", "seed": 1, "file": "s.toml", "text": "name = 's'"})
    store.note("networks", {"b": {"ap50": 0.9, "macs": 99, "sha256": "0", "build": ["--config", "b"]}})
    store.note("searches", [{"network": "b", "board": "pynq-z2", "designs": 9, "planned": 2, "planned_by_all": 1,
                             "screen_error": {"cycles": 0.1, "dram_bytes": 0.1}}])  # fmt: skip
    store.note("objectives", ["latency_ms", "area"])
    store.close()
    return folder / "sweep.db"


def read_sweep_results(path: Path) -> None:
    """As `codesign report FOLDER` and `codesign sweep --recommend` do."""
    from codesign.cli.report import _sweep
    from codesign.sweep.recommend import build_command, recommend
    from codesign.sweep.store import Store

    _sweep(path.parent)
    store = Store(path)
    try:
        build_command(store, recommend(store, None, None))
    finally:
        store.close()


def database_edit(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """A value of the JSON that the data base holds, or bytes."""
    import sqlite3

    if noise.random() < 0.4:
        return damage.of_bytes(sound, noise)
    base = sqlite3.connect(":memory:")
    base.deserialize(b"".join((sound[:18], b"\1\1", sound[20:])))  # (without a write-ahead log)
    table, column = noise.choice((("points", "point"), ("about", "value")))
    row, text = noise.choice(base.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} != '1'").fetchall())
    said, changed = damage.of_json(text.encode(), noise)
    base.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed.decode(errors="replace"), row))
    base.commit()
    return f"{table}: {said}", base.serialize()


def recipe(folder: Path) -> Path:
    from codesign.train.recipe_file import FOLDER

    (folder / "mine.toml").write_bytes((FOLDER / "bccd.toml").read_bytes())
    return folder / "mine.toml"


def read_recipe(path: Path) -> None:
    from codesign.train.recipe_file import load_recipe

    load_recipe(str(path))


def package(folder: Path) -> Path:
    from tests.runtime import small

    return small.write(folder / "detector.zip")


def read_package(path: Path) -> None:
    from codesign.runtime import Package

    Package.read(str(path))


def packaged_edit(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """Behind a right seal another description, or bytes."""
    from codesign.package.writer import write_package
    from codesign.runtime.archive import MANIFEST

    if noise.random() < 0.4:
        return damage.of_bytes(sound, noise)
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST and not name.startswith("driver/")}
    said, files["detector.json"] = damage.of_json(files["detector.json"], noise)
    return f"detector.json: {said}", _written(write_package, files)


def _written(write: Any, files: dict[str, bytes]) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "p.zip", files)
        return (Path(folder) / "p.zip").read_bytes()


def program(folder: Path) -> Path:
    from tests.runtime import small

    (folder / "program.bin").write_bytes(small.program().content.tobytes())
    return folder / "program.bin"


def read_program(path: Path) -> None:
    import contextlib

    from codesign.cli.disasm import disasm_command

    with contextlib.redirect_stdout(io.StringIO()):
        disasm_command(path, "pynq-z2")


def input_array(folder: Path) -> Path:
    np.save(folder / "input.npy", np.zeros(_graph().input.shape, np.float32))
    return folder / "input.npy"


def read_input_array(path: Path) -> None:
    from codesign.build.network_input import read_array

    read_array(path, _graph())


def other_arrays(folder: Path) -> Path:
    np.savez(folder / "other.npz", **{name: np.zeros(tensor.shape, np.int8) for name, tensor in list(_graph().tensors.items())[:3]})
    return folder / "other.npz"


def read_other_arrays(path: Path) -> None:
    from codesign.diff.observers import FileObserver

    FileObserver(path, _graph())


@cache
def _built() -> Path:
    """A build folder of the smallest detector, simulated by the instruction-set model."""
    import tempfile

    import pytest

    from codesign.build.options import BuildOptions
    from codesign.build.runner import build
    from tests.build.fakes import speed_up

    folder = Path(tempfile.mkdtemp(prefix="untrusted-build-"))
    speed_up(pytest.MonkeyPatch())  # for as long as this process lives
    result = build(BuildOptions("pynq-z2", model=graph(folder), out=folder / "built"))
    assert not result.failed, result.steps
    return folder / "built"


def _build_folder(folder: Path) -> None:
    import shutil

    shutil.copytree(_built(), folder, dirs_exist_ok=True)


def _part_of_build(name: str) -> Any:
    def make(folder: Path) -> Path:
        _build_folder(folder)
        return folder / name

    return make


build_golden, build_program, build_image = _part_of_build("golden.npz"), _part_of_build("program.bin"), _part_of_build("image.png")
build_steps, build_trace, build_report = _part_of_build("steps.json"), _part_of_build("simulation.json"), _part_of_build("report.json")


def _context(path: Path) -> Any:
    from codesign.boards import load_board
    from codesign.build.options import BuildOptions
    from codesign.build.step import Context

    made = Context(BuildOptions("pynq-z2", out=path.parent), load_board("pynq-z2"), path.parent, print, print)
    made.__dict__.update(graph=_graph(), plan=_plan())
    return made


@cache
def _plan() -> Any:
    from codesign.boards import load_board
    from codesign.plan import plan

    found = load_board("pynq-z2")
    return plan(_graph(), found.accelerator, found.dram)


def read_build_golden(path: Path) -> None:
    assert _context(path).golden


def read_build_program(path: Path) -> None:
    from codesign.build.steps.simulate import content

    content(_context(path))


def read_build_image(path: Path) -> None:
    assert _context(path).codes.size


def report_again(path: Path) -> None:
    from codesign.build.again import report_again as again

    again(path.parent)

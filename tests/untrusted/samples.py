# SPDX-License-Identifier: Apache-2.0
"""Sound files, small, and the readers that commands use on them. Imports are where they are needed: a process reads some kinds."""

from __future__ import annotations

import io
import json
import random
import tarfile
import warnings
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


def _voc(folder: Path) -> None:
    from codesign.data.voc import write_annotation

    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    _picture().save(folder / "JPEGImages" / "one.png")
    write_annotation(folder / "Annotations" / "one.xml", "one.png", (24, 32), np.array([[1, 2, 20, 21], [3, 3, 9, 9]]), ["cat", "dog"])
    (folder / "ImageSets" / "Main" / "train.txt").write_text("one\n")
    (folder / "labels.txt").write_text("cat\ndog\n")


def _picture() -> Any:
    from PIL import Image

    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8))


def _part_of_voc(name: str, without: str = "") -> Any:
    def make(folder: Path) -> Path:
        _voc(folder)
        if without:
            (folder / without).unlink()
        return folder / name

    return make


voc_annotation = _part_of_voc("Annotations/one.xml", "labels.txt")
voc_list, voc_labels, voc_picture = _part_of_voc("ImageSets/Main/train.txt"), _part_of_voc("labels.txt"), _part_of_voc("JPEGImages/one.png")


def read_voc(path: Path) -> None:
    from codesign.data.folder import read_classes, read_split

    folder = path.parents[len(path.parents) - 1 - next(n for n, p in enumerate(reversed(path.parents)) if p.name == "case")]
    read_split(folder, "train", read_classes(folder))


def photograph(folder: Path) -> Path:
    _picture().save(folder / "one.jpg")
    return folder / "one.jpg"


def read_picture(path: Path) -> None:
    from codesign.data.sample import load_image

    load_image(path)


def coco(folder: Path) -> Path:
    (folder / "annotations").mkdir()
    (folder / "images").mkdir()
    _picture().save(folder / "images" / "one.png")
    boxes = [{"id": n, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10.5, 11], "area": 90.0, "iscrowd": 0} for n in range(3)]
    document = {"images": [{"id": 1, "file_name": "one.png", "width": 32, "height": 24}], "annotations": boxes,
                "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]}  # fmt: skip
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(document))
    return folder / "annotations" / "instances_train.json"


def read_coco(path: Path) -> None:
    from codesign.data.folder import read_classes, read_split

    read_split(path.parents[1], "train", read_classes(path.parents[1]))


_MEMBERS = {"set/BCCD/JPEGImages/one.jpg": b"\xff\xd8" * 50, "set/BCCD/Annotations/one.xml": b"<annotation/>" * 9, "set/LICENSE": b"free"}


def data_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        for name, kind in zip(_MEMBERS, (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
            archive.writestr(name, _MEMBERS[name], kind)
    return folder / "set.zip"


def data_tar(folder: Path) -> Path:
    with tarfile.open(folder / "set.tar.gz", "w:gz") as archive:
        for name, data in _MEMBERS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / "set.tar.gz"


def unpack_data(path: Path) -> None:
    from codesign.data.archives import DATA_SETS
    from codesign.data.unpack import unpack

    (path.parent / "into").mkdir(exist_ok=True)
    unpack(path, path.parent / "into", DATA_SETS["bccd"].archives[0].target, lambda done: None)


def study_results(folder: Path) -> Path:
    from codesign.study.results import Results

    for seed in (1, 2):
        row = {"key": f"k{seed}", "plan": "p", "variant": "square", "kind": "all", "seed": seed, "ap50": 0.5, "offsets": {}}
        Results(folder / "results.jsonl").append(row)
    return folder / "results.jsonl"


def read_study_results(path: Path) -> None:
    from codesign.study.results import Results

    Results(path).rows()


def training_log(folder: Path) -> Path:
    from codesign.train import journal

    for epoch in (1, 2):
        journal.append(folder, {"epoch": epoch, "stage": "float", "loss": 1.5, "rate": 0.01, "seconds": 9.5, "ap50": 0.3})
    return folder / "log.csv"


def read_training_log(path: Path) -> None:
    from codesign.train import journal

    if path.exists():
        journal.plot(path.parent)
    journal.append(path.parent, {"epoch": 3, "stage": "float", "loss": 1.5})


def fuzz_case(folder: Path) -> Path:
    from codesign.fuzz.case import drawn

    (folder / "case.json").write_text(json.dumps(drawn("layer", 7).document("seven")))
    return folder / "case.json"


def read_fuzz_case(path: Path) -> None:
    from codesign.fuzz.case import read

    read(path)


def fuzz_journal(folder: Path) -> Path:
    from codesign.fuzz.journal import Journal

    Journal(folder / "journal", "s")
    entry = {"kind": "layer", "seed": 1, "machine": 1, "status": "refused", "nodes": 1, "values": 9, "cycles": 9, "seconds": 0.5}
    with (folder / "journal").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    return folder / "journal"


def read_fuzz_journal(path: Path) -> None:
    from codesign.fuzz.journal import Journal

    Journal(path, "s")


def _bench_store(folder: Path) -> Any:
    import codesign.bench.rows as rows
    from codesign.boards import load_board

    rows.runtime_version = lambda: ""
    return rows.RowStore(folder, load_board("pynq-z2"))


def bench_row(folder: Path) -> Path:
    from dataclasses import fields

    from codesign.bench.measurement import Row
    from codesign.build.options import BuildOptions

    values: dict[str, Any] = {f.name: {"str": "x", "int": 1, "float": 1.0, "bool": False}.get(str(f.type), 1) for f in fields(Row)}
    _bench_store(folder).put(BuildOptions("pynq-z2"), Row(**(values | {"input": (256, 256)})))
    return folder / "pynq-z2-b.json"


def read_bench_row(path: Path) -> None:
    from codesign.build.options import BuildOptions

    _bench_store(path.parent).get(BuildOptions("pynq-z2"))


def _timing_store(folder: Path) -> Any:
    from codesign.boards import load_board
    from codesign.timing.rows import RowStore

    return RowStore(folder, load_board("pynq-z2"), 1)


def timing_row(folder: Path) -> Path:
    from codesign.timing.rows import Row

    (folder / "load").mkdir()
    _timing_store(folder).put(Row("load", 9, 9), "module")
    return folder / "load" / "row.json"


def read_timing_row(path: Path) -> None:
    _timing_store(path.parents[1]).get("load")


def onnx_model(folder: Path) -> Path:
    from tests.onnx.builder import Builder

    b = Builder(3, 8)
    x = b.relu_quant(b.conv(b.quant("image", 1 / 128), 3, 8, 3, name="first"))
    y = b.relu_quant(b.conv(x, 8, 8, 3, group=8, name="second"))
    return b.save(folder / "model.onnx", b.quant(b.op("Add", [x, y]), 1 / 8))


def read_onnx(path: Path) -> None:
    from codesign.onnx.importer import examine

    examine(path)


@cache
def _network() -> Any:
    from tests.nn.small import quantised, small_config

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantised(small_config())


_LABELS = ["cat", "dog", "bird"]


def model(folder: Path) -> Path:
    from codesign.nn.model_file import save_model

    save_model(folder / "model.safetensors", _network(), labels=_LABELS, metrics={"ap50": 0.5}, recipe={"fit": "stretch"})
    return folder / "model.safetensors"


def read_model(path: Path) -> None:
    from codesign.nn.model_file import load_model

    _, info = load_model(path)
    assert all(value is None or isinstance(value, float | int) for value in info.metrics.values())


def float_model(folder: Path) -> Path:
    from codesign.nn.float_file import save_float

    save_float(folder / "float.safetensors", _network(), _LABELS, {"ap50": 0.5}, {"augment": {"scale": [0.5, 1.5]}})
    return folder / "float.safetensors"


def read_float_model(path: Path) -> None:
    """As `codesign ptq` does."""
    from codesign.quantise.source import _augmentation, load_source

    _, info = load_source(path, path.parent, _network().config)
    _augmentation(info)


def _training() -> tuple[Any, Any, Any]:
    """Network, average and optimiser as a run has them."""
    import copy

    from codesign.train.ema import Ema
    from codesign.train.recipe import Recipe
    from codesign.train.stage import make_optimiser, stages

    recipe = Recipe()
    network = copy.deepcopy(_network())
    return network, Ema(network, 0.9), make_optimiser(network, recipe, stages(recipe)[0])


def checkpoint(folder: Path) -> Path:
    from codesign.train.checkpoint import Progress, save_checkpoint

    network, average, optimiser = _training()
    for parameter in network.parameters():
        parameter.grad = parameter.detach().clone()
    optimiser.step()
    save_checkpoint(folder / "checkpoint.safetensors", Progress(1, "f", {"ap50": 0.5}, "float", 3, 0.5), network, average, optimiser)
    return folder / "checkpoint.safetensors"


def read_checkpoint(path: Path) -> None:
    """As a run that goes on does: one step further."""
    import math

    from codesign.train.checkpoint import load_checkpoint, load_optimiser, read_progress

    progress = read_progress(path)
    assert math.isfinite(progress.loss)
    network, average, optimiser = _training()
    load_checkpoint(path, network, average)
    load_optimiser(path, optimiser)
    for parameter in network.parameters():
        parameter.grad = parameter.detach().clone()
    optimiser.step()
    average.update(network)


def weights(folder: Path) -> Path:
    import torch

    torch.save(_network().state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def read_weights(path: Path) -> None:
    from codesign.train.initial import _state_dict, start_from

    if path.exists():
        _state_dict(path)
    else:
        start_from(_network(), path)


def sensitivity_results(folder: Path) -> Path:
    from codesign.quantise.sensitivity import Results, Row

    Results(folder / "results.jsonl", {"model": "m"}).add(Row("stem", 0.5, 0.1, 9))
    return folder / "results.jsonl"


def read_sensitivity_results(path: Path) -> None:
    from codesign.quantise.sensitivity import Results

    Results(path, {"model": "m"})

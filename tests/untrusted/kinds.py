# SPDX-License-Identifier: Apache-2.0
"""Every kind of file that a command reads: how to make a sound one, what reads it, and which damages its form knows.

The next format is one line in `KINDS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.untrusted import damage, hostile
from tests.untrusted.sound import builds, data, networks, results

Damage = Callable[[bytes, random.Random], tuple[str, bytes]]
Hostile = Callable[[bytes], Iterator[hostile.Case]]


@dataclass(frozen=True)
class Form:
    """``edit`` knows where values are; ``hostile`` are files made by hand."""

    edit: Damage
    hostile: Hostile | None = None


BINARY = Form(damage.of_bytes)
TEXT = Form(damage.of_text)
TOML = Form(damage.of_text, hostile.toml)
JSON = Form(damage.of_json, hostile.document)
LINES = Form(damage.of_json_lines, hostile.document)
XML = Form(damage.of_text, hostile.xml)
TENSORS = Form(damage.of_safetensors, hostile.safetensors)
NPY = Form(damage.of_bytes, hostile.npy)
NPZ = Form(damage.of_bytes, hostile.npz)
PICTURE = Form(damage.of_bytes, hostile.picture)
ARCHIVE = Form(damage.of_bytes, hostile.archive)
PACKAGED = Form(builds.packaged_edit, hostile.archive)
DATABASE = Form(builds.database_edit, hostile.database)
ONNX = Form(damage.of_bytes, hostile.onnx_model)


@dataclass(frozen=True)
class Kind:
    """``make`` writes sound files into an empty folder and returns the one to damage; ``read`` takes its path.

    ``share`` of the cases: less for what is slow to read. ``group`` names the process that reads it.
    """

    form: Form
    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    share: float = 1.0
    group: str = "plain"


KINDS: dict[str, Kind] = {
    "graph": Kind(TENSORS, builds.graph, builds.read_graph),
    "board": Kind(TOML, builds.board, builds.read_board),
    "sweep file": Kind(TOML, builds.sweep, builds.read_sweep),
    "sweep results": Kind(DATABASE, builds.sweep_results, builds.read_sweep_results),
    "recipe": Kind(TOML, builds.recipe, builds.read_recipe),
    "package": Kind(PACKAGED, builds.package, builds.read_package),
    "program": Kind(BINARY, builds.program, builds.read_program),
    "input.npy": Kind(NPY, builds.input_array, builds.read_input_array),
    "other.npz": Kind(NPZ, builds.other_arrays, builds.read_other_arrays),
    "golden.npz": Kind(NPZ, builds.build_golden, builds.read_build_golden, 0.5),
    "build's program.bin": Kind(BINARY, builds.build_program, builds.read_build_program),
    "build's image.png": Kind(PICTURE, builds.build_image, builds.read_build_image, 0.5),
    "build's steps.json": Kind(JSON, builds.build_steps, builds.report_again, 0.25),
    "build's simulation.json": Kind(JSON, builds.build_trace, builds.report_again, 0.25),
    "build's report.json": Kind(JSON, builds.build_report, builds.report_again, 0.2),
    "VOC annotation": Kind(XML, data.voc_annotation, data.read_voc),
    "VOC list": Kind(TEXT, data.voc_list, data.read_voc),
    "labels.txt": Kind(TEXT, data.voc_labels, data.read_voc),
    "picture": Kind(PICTURE, data.voc_picture, data.read_picture),
    "photograph": Kind(PICTURE, data.photograph, data.read_picture),
    "COCO annotations": Kind(JSON, data.coco, data.read_coco),
    "data set's zip": Kind(ARCHIVE, data.data_zip, data.unpack_data),
    "data set's tar": Kind(BINARY, data.data_tar, data.unpack_data),
    "study results": Kind(LINES, results.study_results, results.read_study_results),
    "training log": Kind(TEXT, results.training_log, results.read_training_log),
    "fuzz case": Kind(JSON, results.fuzz_case, results.read_fuzz_case),
    "fuzz journal": Kind(LINES, results.fuzz_journal, results.read_fuzz_journal),
    "bench row": Kind(JSON, results.bench_row, results.read_bench_row),
    "timing row": Kind(JSON, results.timing_row, results.read_timing_row),
    "ONNX model": Kind(ONNX, networks.onnx_model, networks.read_onnx, group="onnx"),
    "model": Kind(TENSORS, networks.model, networks.read_model, 0.25, group="torch"),
    "float model": Kind(TENSORS, networks.float_model, networks.read_float_model, 0.25, group="torch"),
    "checkpoint": Kind(TENSORS, networks.checkpoint, networks.read_checkpoint, 0.25, group="torch"),
    "weights.pth": Kind(BINARY, networks.weights, networks.read_weights, 0.5, group="torch"),
    "sensitivity results": Kind(LINES, results.sensitivity_results, results.read_sensitivity_results, group="torch"),
}

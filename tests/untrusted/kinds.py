# SPDX-License-Identifier: Apache-2.0
"""Every kind of file that a command reads: how to make a sound one, what reads it, and which damages its form knows.

The next format is one line in `KINDS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.untrusted import damage, hostile, samples

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
PACKAGED = Form(samples.packaged_edit, hostile.archive)
DATABASE = Form(samples.database_edit, hostile.database)
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
    "graph": Kind(TENSORS, samples.graph, samples.read_graph),
    "board": Kind(TOML, samples.board, samples.read_board),
    "sweep file": Kind(TOML, samples.sweep, samples.read_sweep),
    "sweep results": Kind(DATABASE, samples.sweep_results, samples.read_sweep_results),
    "recipe": Kind(TOML, samples.recipe, samples.read_recipe),
    "package": Kind(PACKAGED, samples.package, samples.read_package),
    "program": Kind(BINARY, samples.program, samples.read_program),
    "input.npy": Kind(NPY, samples.input_array, samples.read_input_array),
    "other.npz": Kind(NPZ, samples.other_arrays, samples.read_other_arrays),
    "golden.npz": Kind(NPZ, samples.build_golden, samples.read_build_golden, 0.5),
    "build's program.bin": Kind(BINARY, samples.build_program, samples.read_build_program),
    "build's image.png": Kind(PICTURE, samples.build_image, samples.read_build_image, 0.5),
    "build's steps.json": Kind(JSON, samples.build_steps, samples.report_again, 0.25),
    "build's simulation.json": Kind(JSON, samples.build_trace, samples.report_again, 0.25),
    "build's report.json": Kind(JSON, samples.build_report, samples.report_again, 0.2),
    "VOC annotation": Kind(XML, samples.voc_annotation, samples.read_voc),
    "VOC list": Kind(TEXT, samples.voc_list, samples.read_voc),
    "labels.txt": Kind(TEXT, samples.voc_labels, samples.read_voc),
    "picture": Kind(PICTURE, samples.voc_picture, samples.read_picture),
    "photograph": Kind(PICTURE, samples.photograph, samples.read_picture),
    "COCO annotations": Kind(JSON, samples.coco, samples.read_coco),
    "data set's zip": Kind(ARCHIVE, samples.data_zip, samples.unpack_data),
    "data set's tar": Kind(BINARY, samples.data_tar, samples.unpack_data),
    "study results": Kind(LINES, samples.study_results, samples.read_study_results),
    "training log": Kind(TEXT, samples.training_log, samples.read_training_log),
    "fuzz case": Kind(JSON, samples.fuzz_case, samples.read_fuzz_case),
    "fuzz journal": Kind(LINES, samples.fuzz_journal, samples.read_fuzz_journal),
    "bench row": Kind(JSON, samples.bench_row, samples.read_bench_row),
    "timing row": Kind(JSON, samples.timing_row, samples.read_timing_row),
    "ONNX model": Kind(ONNX, samples.onnx_model, samples.read_onnx, group="onnx"),
    "model": Kind(TENSORS, samples.model, samples.read_model, 0.25, group="torch"),
    "float model": Kind(TENSORS, samples.float_model, samples.read_float_model, 0.25, group="torch"),
    "checkpoint": Kind(TENSORS, samples.checkpoint, samples.read_checkpoint, 0.25, group="torch"),
    "weights.pth": Kind(BINARY, samples.weights, samples.read_weights, 0.5, group="torch"),
    "sensitivity results": Kind(LINES, samples.sensitivity_results, samples.read_sensitivity_results, group="torch"),
}

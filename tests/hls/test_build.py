# SPDX-License-Identifier: Apache-2.0
"""`codesign build --backend hls4ml` on a small network: every layer compared, faults named, nothing needed from a vendor."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("hls4ml")

from codesign.boards import load_board
from codesign.build import BuildOptions, build
from codesign.build.hls.compile import CompileStep
from codesign.build.hls.pictures import PICTURES
from codesign.build.hls.project import BLOCK_RAM, _memory
from codesign.build.step import Context
from codesign.errors import UserError
from codesign.graph.files import save_graph
from codesign.hls.attributes import node_attributes
from codesign.hls.folded import fold_layers
from codesign.hls.layer_list import layer_list
from tests.build.fakes import run_frame
from tests.hls.small_graph import small_graph

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ not found")


def options(folder: Path, form: str, backend: str = "hls4ml") -> BuildOptions:
    model = folder / "graph.safetensors"
    if not model.exists():
        save_graph(small_graph(form), model)
    return BuildOptions("pynq-z2", model=model, out=folder / "build", backend=backend)


@pytest.fixture
def no_da4ml(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed; tests/hls/test_distributed.py has it."""
    monkeypatch.setattr("codesign.hls.distributed.installed", lambda: False)


@needs_compiler
def test_every_layer_is_golden_and_an_edited_weight_is_found(tmp_path: Path, no_da4ml: None) -> None:
    form = "square"
    result = build(options(tmp_path, form))
    status = {step.name: (step.status, step.reason) for step in result.steps}
    assert status["da4ml"] == ("skipped", "da4ml is not installed; pip install da4ml")
    report = json.loads((tmp_path / "build" / "report.json").read_text())
    assert status["csim"][0] == "verified" and "0 mismatches" in status["csim"][1]
    assert status["hls"][0] == "skipped" and "vivado_hls -f run_hls.tcl" in status["hls"][1]
    exact = report["bit_exact"]
    assert (exact["images"], exact["mismatches"]) == (PICTURES, 0) and PICTURES >= 20
    assert exact["tensors"] == len(small_graph(form).nodes) + 1  # and the heads behind the AXI shell
    assert report["backend"] == "hls4ml" and report["cycles"]["total"] is None
    assert report["hls4ml"]["estimated"]["interval"] > 0
    weights = tmp_path / "build/hls4ml/firmware/weights/w2.txt"  # layer 1 is the input
    first, rest = weights.read_text().split(",", 1)
    weights.write_text(f"{(int(first) + 3) % 7},{rest}")
    again = {step.name: step for step in build(options(tmp_path, form)).steps}
    assert again["compile"].kept and again["csim"].status == "failed"
    assert "layer stem, tensor stem, channel 0" in again["csim"].reason


@needs_compiler
def test_both_back_ends_agree_and_are_shown_side_by_side(
    tmp_path: Path, fast: None, no_da4ml: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The RTL is the instruction-set model here."""
    monkeypatch.setattr("codesign.build.hls.agree.run_frame", run_frame)
    result = build(options(tmp_path, "pairs", "both"))
    status = {step.name: (step.status, step.reason) for step in result.steps}
    assert status["simulate"][0] == status["csim"][0] == status["agree"][0] == "verified", status
    assert status["agree"][1].startswith(f"golden = RTL = C simulation on {PICTURES} pictures")
    report = json.loads((result.folder / "report.json").read_text())
    agreement = report["hls4ml"]["agreement"]
    assert agreement["mismatches"] == {"rtl": 0, "csim": 0} and agreement["images"] == PICTURES
    rows = {row[0]: row[1:] for row in agreement["table"]}
    assert "simulated" in rows["cycles of a frame"][0] and "estimated" in rows["cycles of a frame"][1]
    assert "none without Vivado HLS" in rows["LUT"][1]
    assert report["cycles"]["total"] and report["bit_exact"]["images"] == 1


def test_without_a_compiler_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    context = Context(options(tmp_path, "square"), load_board("pynq-z2"), tmp_path, lambda line: None, lambda line: None)
    with pytest.raises(UserError, match="g\\+\\+ not found.*install it with the system's package manager"):
        CompileStep().run(context)


def test_a_board_without_a_shell_is_refused(tmp_path: Path) -> None:
    save_graph(small_graph(), tmp_path / "graph.safetensors")
    wrong = BuildOptions("ulx3s-85f", model=tmp_path / "graph.safetensors", out=tmp_path / "build", backend="hls4ml")
    with pytest.raises(UserError, match="pynq-z2, .*ulx3s-85f is built with --backend amaranth"):
        build(wrong)


def test_settings_of_the_accelerator_are_no_other_board() -> None:
    from codesign.hls.project import board_shell

    board = load_board("pynq-z2:array_out=32")
    assert board_shell(board.name, board.path.stem) == "pynq-z2"


def test_a_network_that_does_not_fit_the_device_is_said_so() -> None:
    assert _memory(10 * BLOCK_RAM, 140).endswith("of 10.0 block RAMs' bits, 140 on the device")
    assert _memory(150 * BLOCK_RAM, 140).endswith("of 150.0 block RAMs' bits: they do not fit the device's 140")


def test_backend_is_checked() -> None:
    with pytest.raises(UserError, match="--backend 'verilog'"):
        BuildOptions("pynq-z2", backend="verilog")


def test_an_operator_without_a_kernel_is_refused() -> None:
    from codesign.graph.ir import Add

    with pytest.raises(UserError, match="'sum': the hls4ml back end has no Add"):
        node_attributes(Add("sum", ("a", "b"), "c", (1, 1), 8, 0), (1, 1, 1), 0)


def test_layers_share_the_time_the_slowest_needs() -> None:
    from hw.hls.folding import cycles

    layers = layer_list(small_graph())
    slow, fast = fold_layers(layers, 10**9), fold_layers(layers, 4000)
    assert {layer.get("parallel", 1) for layer in slow.layers} == {1}
    weighted = [layer for layer in fast.layers if "weight_data" in layer]
    assert all(cycles(layer["class_name"], layer) <= 4000 for layer in weighted if layer["name"] != "stem")
    assert len(fast.layers) == 1 + 13 + 1  # the image, the nodes, the joined heads

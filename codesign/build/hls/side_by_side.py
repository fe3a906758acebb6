# SPDX-License-Identifier: Apache-2.0
"""The Amaranth accelerator and the hls4ml project in one table; every figure says where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codesign.build.artefacts import readable
from codesign.build.hls.project import BLOCK_RAM
from codesign.build.step import Context
from codesign.build.yosys import layer_resources

STATISTICS, ARRAY = "synthesis/statistics.json", "codesign_accelerator.pointwise.array"
YOSYS, LOOPS, OWN = "estimated by Yosys", "estimated from the kernels' loops", "hls4ml's own estimate"
Row = tuple[str, str, str]


def comparison(context: Context) -> list[Row]:
    """Rows (what, Amaranth accelerator, hls4ml project)."""
    return [("", "Amaranth accelerator", "hls4ml project"), *_times(context), *_resources(context), *_pointwise(context)]


def _times(context: Context) -> list[Row]:
    cycles, project, own = context.fact("simulate")["cycles"], context.fact("project"), _own(context)
    clock = context.board.clock_mhz
    rows = [
        ("cycles of a frame", f"{cycles:,} simulated", f"{project['latency']:,} {LOOPS}"),
        ("cycles between frames", f"{cycles:,} simulated", f"{project['interval']:,} {LOOPS}"),
        ("frames/s", f"{clock * 1e6 / cycles:,.0f} at {clock:g} MHz, simulated", f"{clock * 1e6 / project['interval']:,.0f} at {clock:g} MHz, estimated"),
    ]  # fmt: skip
    if "interval" in own and "latency" in own:
        rows.append(("cycles, of and between frames", "", f"{own['latency']:,} and {own['interval']:,}, {OWN}"))
    return rows


def _resources(context: Context) -> list[Row]:
    config, resources, project, own = context.board.accelerator, context.fact("synthesise"), context.fact("project"), _own(context)
    blocks = project["memory_bits"] / BLOCK_RAM
    rows = [
        ("weights", "in DRAM", "on chip"),
        ("multipliers", f"{config.array_macs} + {config.depthwise_macs}", f"{project['multipliers']} products, {project['requantisers']} requantisers"),
    ]  # fmt: skip
    for key, label in (("lut", "LUT"), ("ff", "FF"), ("dsp", "DSP"), ("bram36", "36 kb block RAMs")):
        left = f"{resources[key]:,} {YOSYS}" if resources else "not estimated"
        right = f"{own[key]:,} {OWN}" if key in own else f"{OWN}: none without Vivado HLS"
        if key == "bram36":
            right = f"{right}; {blocks:.1f} by the bits of rows, weights and FIFOs"
        rows.append((label, left, right))
    return rows


def _own(context: Context) -> Mapping[str, Any]:
    own = dict(context.fact("hls").get("estimated", {}))
    return {**own, "bram36": own["bram18"] / 2} if "bram18" in own else own


def _pointwise(context: Context) -> list[Row]:
    """What computes 1x1 layers: the accelerator's array, all of them in turn; da4ml's Verilog, each layer its own."""
    layers = context.fact("da4ml").get("layers", [])
    path = context.path(STATISTICS)
    if not layers or any("lut" not in layer for layer in layers) or not context.fact("synthesise") or not path.exists():
        return []
    with readable(path):
        array = layer_resources(json.loads(path.read_text()), ARRAY, context.board.device.family)
    beyond = context.fact("da4ml")["beyond"]
    lut, ff, dsp = (sum(layer[key] for layer in layers) for key in ("lut", "ff", "dsp"))
    left = f"array: {array['lut']:,} LUT, {array['ff']:,} FF, {array['dsp']} DSP, Yosys"
    right = f"da4ml, {len(layers)} of {len(layers) + len(beyond)} layers: {lut:,} LUT, {ff:,} FF, {dsp} DSP, {YOSYS}"
    return [("1x1 convolutions", left, right)]

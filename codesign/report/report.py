# SPDX-License-Identifier: Apache-2.0
"""Assembles the report from the steps' facts and the artefacts in the build folder."""

from __future__ import annotations

import platform
from typing import Any

from codesign import __version__
from codesign.build.artefacts import readable
from codesign.build.step import FRAME, GRAPH, SKIPPED, Context
from codesign.graph.count import mac_count, parameter_count
from codesign.plan.latency import against_rtl, predict
from codesign.report.hls import csim_bit_exact, hls_section
from codesign.report.layers import layers, pointwise_macs
from codesign.report.shares import make_shares
from codesign.report.table import engine_cycles

SCHEMA = "codesign-report-1"


def make_report(context: Context) -> dict[str, Any]:
    """The report as JSON values. What a step that did not run would have found is null."""
    simulated = context.fact("simulate")
    trace = context.json(FRAME) if simulated and context.path(FRAME).exists() else None
    macs, accelerator = mac_count(context.graph), context.options.backend != "hls4ml"
    with readable(context.path(FRAME)):
        cycles = _cycles(context, simulated, trace)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "board": context.board.name,
        "config": str(context.graph.meta.get("config", context.options.config)),
        "model": _model(context, macs),
        "steps": _steps(context),
        "backend": context.options.backend,
        "bit_exact": _bit_exact(context, simulated) if accelerator else csim_bit_exact(context),
        "cycles": cycles,
        **_rates(context, simulated, macs),
        "latency_model": _latency(context, cycles) if accelerator else {"cycles": None, "error": None, "layers": []},
        "resources": context.fact("synthesise") or None,
        "bitstream": context.fact("bitstream") or None,
        "simulation": _simulation(simulated),
        "dram": _dram(context, simulated),
        "hls4ml": hls_section(context),
        "artefacts": artefact_hashes(context),
    }


def artefact_hashes(context: Context) -> dict[str, str]:
    """SHA-256 of every file that a step of this build left in the folder, but the report's own, by its path there."""
    from codesign.build.steps import all_steps

    ended = {result.name for result in context.results if result.status != SKIPPED}
    names = [name for step in all_steps(context.options.backend) if step.name in ended and step.name != "report" for name in step.outputs]
    found = {name: context.hash(name) for name in names}
    return {name: digest for name, digest in found.items() if digest}


def _model(context: Context, macs: int) -> dict[str, Any]:
    meta, shape = context.graph.meta, context.graph.input.shape
    return {
        "sha256": context.hash(GRAPH),
        "weight_bits": meta.get("weight_bits"),
        "layer_bits": meta.get("layer_bits", []),
        "act_bits": meta.get("act_bits", 8),
        "params": parameter_count(context.graph),
        "macs": macs,
        "input": [int(side) for side in shape],
        "trained": bool(meta.get("trained", False)),
        "weights": context.fact("lower").get("weights"),
        "source": context.fact("lower").get("source"),
    }


def _steps(context: Context) -> list[dict[str, Any]]:
    rows = [
        {"name": r.name, "status": r.status, "seconds": r.seconds, "reason": r.reason, "kept": r.kept}
        for r in context.results
    ]
    return [*rows, {"name": "report", "status": "done", "seconds": 0.0, "reason": "", "kept": False}]


def _bit_exact(context: Context, simulated: dict[str, Any]) -> dict[str, Any]:
    golden = context.fact("golden")
    return {
        "images": 1 if simulated else 0,
        "tensors": simulated.get("tensors", 0),
        "values": simulated.get("values", 0),
        "mismatches": simulated.get("mismatches"),
        "saturated_share": golden.get("saturated_share", {}),
        "distance_histogram": golden.get("distance_histogram", {}),
        "first_difference": simulated.get("first_difference"),
        "top_codes": golden.get("top_codes", {}),
    }


def _cycles(context: Context, simulated: dict[str, Any], trace: dict[str, Any] | None) -> dict[str, Any]:
    if trace is None:
        return {"total": None}
    shares = make_shares(context.graph, context.plan.program, trace)
    causes = engine_cycles(shares)
    busy = {engine["name"]: engine["counters"]["busy"] for engine in trace["engines"]}
    units = [cycles for name, cycles in busy.items() if name.startswith("depthwise")]
    return {
        "total": simulated["cycles"],
        "pointwise_busy": busy["pointwise"],
        "depthwise_busy": round(sum(units) / len(units)),  # mean of the units, to be read against the total
        "load_busy": busy["load"],
        "store_busy": busy["store"],
        "depthwise_units_busy": units,
        "engines": {engine["name"]: engine["counters"] for engine in trace["engines"]},
        "pointwise": causes["pointwise"],
        "depthwise": causes["depthwise"],
        "layers": layers(context.graph, trace, shares),
    }


def _rates(context: Context, simulated: dict[str, Any], macs: int) -> dict[str, Any]:
    config, clock = context.board.accelerator, context.board.clock_mhz
    accelerator = context.options.backend != "hls4ml"
    total = simulated.get("cycles")
    everything = config.array_macs + config.depthwise_macs
    return {
        "array_macs": config.array_macs if accelerator else None,
        "depthwise_macs": config.depthwise_macs if accelerator else None,
        "clock_mhz": clock,
        "fps": clock * 1e6 / total if total else None,
        "mac_efficiency": macs / (everything * total) if total else None,
        "array_efficiency": pointwise_macs(context.graph) / (config.array_macs * total) if total else None,
    }


def _latency(context: Context, cycles: dict[str, Any]) -> dict[str, Any]:
    modelled = predict(context.plan.program, context.board.dram)
    return against_rtl(modelled, cycles["total"], cycles.get("layers", ()))


def _simulation(simulated: dict[str, Any]) -> dict[str, Any]:
    seconds = simulated.get("seconds")
    return {
        "seconds": seconds,
        "kcycles_per_s": simulated["cycles"] / seconds / 1e3 if seconds else None,
        "processor": platform.machine(),
    }


def _dram(context: Context, simulated: dict[str, Any]) -> dict[str, Any]:
    dram = context.board.dram
    return {
        "read_bytes": simulated.get("read_bytes"),
        "write_bytes": simulated.get("write_bytes"),
        "model": {"latency_cycles": dram.latency_cycles, "bytes_per_cycle": dram.bytes_per_cycle},
    }

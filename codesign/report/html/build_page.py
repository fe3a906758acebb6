# SPDX-License-Identifier: Apache-2.0
"""The page of one build: what was simulated, how fast, where the cycles went, what it takes of the device."""

from __future__ import annotations

from html import escape
from typing import Any

from codesign.build.artefacts import readable
from codesign.build.step import FRAME, GRAPH, IMAGE, PROGRAM, RTL, SYNTHESIS_RTL, Context
from codesign.graph.meta import HEADS
from codesign.report.html.engine_charts import efficiency, roofline, timeline
from codesign.report.html.page import Section, figure, page, table, tiles
from codesign.report.html.picture import picture
from codesign.report.html.provenance import provenance
from codesign.report.html.resource_chart import resources
from codesign.report.shares import make_shares

THRESHOLD = 0.3  #: least score of a box that is drawn
HASHED = (GRAPH, IMAGE, PROGRAM, RTL, SYNTHESIS_RTL)


def build_page(context: Context, report: dict[str, Any], command: str) -> str:
    """``report`` is report.json, ``command`` what built it."""
    title = f"{context.options.title} on {context.board.title}"
    sections = [
        Section("Detections", _detections(context)),
        *_frame(context),
        Section("Layers", _layers(report)),
        Section("Resources against each board", resources(context.board, report["resources"]) if context.options.backend != "hls4ml" else ""),
        Section("Bit-exactness", _exact(report)),
        Section("Latency model", _model(report)),
        Section("Steps", table(("step", "status", "s", "what it says"), [(s["name"], s["status"], f"{s['seconds']:.1f}", s["reason"]) for s in report["steps"]], (3,))),
        *provenance(command, [(name, context.hash(name)) for name in HASHED]),
    ]
    return page(f"codesign: {title}", _lead(context, report) + _tiles(report), sections)


def _lead(context: Context, report: dict[str, Any]) -> str:
    model = report["model"]
    side = "×".join(str(s) for s in model["input"])
    text = f"{model['weights'] or 'network'}: {model['params']:,} parameters, {model['macs'] / 1e6:,.1f} million MACs, input {side}. "
    kind = "Cycles are simulated at the board's clock with its memory; resources are estimated before place and route. Nothing was measured on hardware."
    return f'<p class="soft">{escape(text + kind)}</p>'


def _tiles(report: dict[str, Any]) -> str:
    total, exact, used = report["cycles"].get("total"), report["bit_exact"], report["resources"]
    rows = []
    if total:
        wrong = exact["mismatches"]
        rows += [
            (f"{report['fps']:.1f} frames/s", f"simulated at {report['clock_mhz']:g} MHz", ""), (f"{total:,}", "cycles a frame", ""),
            (f"{wrong:,} of {exact['values']:,}", "values differ from golden", "bad" if wrong else "good"),
            (f"{report['mac_efficiency']:.1%}", f"of {report['array_macs']:,} + {report['depthwise_macs']:,} multipliers at the network's work", ""),
            (f"{(report['dram']['read_bytes'] + report['dram']['write_bytes']) / 1e6:.2f} MB", "DRAM traffic a frame", ""),
        ]  # fmt: skip
    if used:
        rows.append((f"{used['lut']:,} LUT", f"of {used['available']['lut']:,}, estimated by Yosys", "" if used["fits"] else "bad"))
    return tiles(rows)


def _detections(context: Context) -> str:
    """Boxes of golden, which RTL equals value by value; nothing for a network that is no detector."""
    from codesign.build.detector import decode_heads

    graph = context.graph
    if any(role not in graph.outputs for role in HEADS) or graph.input.shape[0] != 3 or not context.path(IMAGE).exists():
        return ""
    golden = context.golden
    found = decode_heads(graph, {role: golden[name] for role, name in graph.outputs.items()})
    labels = [str(label) for label in graph.meta.get("labels", [])]
    trained = bool(labels)
    svg, count = picture(context.path(IMAGE).read_bytes(), graph.input.shape[1:], found, labels, THRESHOLD if trained else 2.0)
    said = f"{count} boxes with a score of at least {THRESHOLD:g}; the same on golden and in RTL." if trained else "The picture that was run; the weights are random, so no boxes are drawn."
    return figure("detections", svg, said)


def _frame(context: Context) -> list[Section]:
    """What the simulated frame's trace shows."""
    if not context.path(FRAME).exists() or not context.fact("simulate"):
        return []
    trace = context.json(FRAME)
    with readable(context.path(FRAME)):
        shares = make_shares(context.graph, context.plan.program, trace)
        return [
            Section("Where the cycles go", efficiency(shares)), Section("Roofline", roofline(shares, context.board)),
            Section("Engines over time", timeline(trace)),
        ]  # fmt: skip


def _layers(report: dict[str, Any]) -> str:
    rows = [
        (r["name"], r["op"], f"{r['macs']:,}", f"{r['cycles']:,}", f"{r['stalls']['token']:,}", f"{r['stalls']['param']:,}", f"{r['stalls']['memory']:,}",
         f"{r['stalls']['padding']:,}", f"{r['dram_read_bytes'] + r['dram_write_bytes']:,}")
        for r in report["cycles"].get("layers", [])
    ]  # fmt: skip
    heads = ("layer", "operator", "MACs", "cycles, first to last", "waits: tokens", "parameters", "memory", "padding", "DRAM bytes")
    return table(heads, rows) if rows else ""


def _exact(report: dict[str, Any]) -> str:
    exact = report["bit_exact"]
    if not exact.get("images"):
        return "<p>Nothing was simulated.</p>"
    first = f" First difference: {exact['first_difference']}." if exact.get("first_difference") else ""
    said = f"{exact['values']:,} values of {exact['tensors']} tensors compared with the golden model: {exact['mismatches']:,} differ.{first}"
    rows = [(name, " ".join(f"{d}: {n:,}" for d, n in counts.items())) for name, counts in exact.get("distance_histogram", {}).items()]
    return f"<p>{escape(said)}</p>" + (table(("offsets", "pixels by distance"), rows, (1,)) if rows else "")


def _model(report: dict[str, Any]) -> str:
    model = report["latency_model"]
    if not model["cycles"]:
        return ""
    error = "" if model["error"] is None else f", {model['error']:+.2%} of the RTL's"
    return f"<p>The latency model predicts {model['cycles']:,} cycles{escape(error)}.</p>"

# SPDX-License-Identifier: Apache-2.0
"""Where every cycle of every engine went, layer by layer: what was useful, and a name for each that was lost.

Busy cycles are read off the program (they equal the counters, and are exact per layer); the others are the
accelerator's own counters, which belong to the instruction started last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from codesign.graph.count import node_macs
from codesign.graph.ir import Conv, DeformConv, Graph, Node
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Program
from codesign.report.work import Work, works

BUSY = ("useful", "second_pass", "padding", "recomputed")
WAITS = ("token", "param", "memory", "drain", "idle")
CAUSES = (*BUSY, *WAITS)
REST = ""  #: the layer name of cycles after an engine's last instruction
KINDS = ("pointwise", "depthwise", "load", "store")


@dataclass
class Share:
    """Cycles of one kind of engine (depthwise: summed over the units) that went into one layer, by cause."""

    cycles: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    macs: int = 0

    @property
    def total(self) -> int:
        return sum(self.cycles.values())

    @property
    def busy(self) -> int:
        return sum(self.cycles[cause] for cause in BUSY)


@dataclass(frozen=True)
class Shares:
    """``layers[kind][layer]`` in the order the layers begin, and ``engines[kind]`` their sums.

    The causes of an engine add up to the frame's cycles; those of the depthwise units to that times the units.
    """

    total: int
    units: dict[str, int]
    layers: dict[str, dict[str, Share]]
    works: list[Work]

    def engine(self, kind: str) -> dict[str, int]:
        """Cycles by cause over all layers."""
        rows = self.layers[kind].values()
        return {cause: sum(row.cycles[cause] for row in rows) for cause in CAUSES}


def kind_of(engine: str) -> str:
    """depthwise2 -> depthwise."""
    return engine.rstrip("0123456789")


def make_shares(graph: Graph, program: Program, trace: dict[str, Any]) -> Shares:
    """Every cycle of ``trace`` (simulation.json) of this program."""
    rows = works(program)
    layers: dict[str, dict[str, Share]] = {kind: {} for kind in KINDS}
    units = dict.fromkeys(KINDS, 0)
    for engine in trace["engines"]:
        kind = kind_of(engine["name"])
        units[kind] += 1
        _add_waits(layers[kind], engine, trace["columns"])
    _add_busy(layers, rows, program.config, graph)
    for kind in KINDS:
        counted = sum(e["counters"]["busy"] for e in trace["engines"] if kind_of(e["name"]) == kind)
        missing = counted - sum(share.busy for share in layers[kind].values())
        layers[kind].setdefault(REST, Share()).cycles["useful"] += missing  # 0 with the RTL of this package
    return Shares(trace["cycles"], units, layers, rows)


def _add_waits(layers: dict[str, Share], engine: dict[str, Any], columns: list[str]) -> None:
    """The counters of one engine by layer; what belongs to no instruction goes to `REST`."""
    node = columns.index("node")
    places = {cause: columns.index(cause) for cause in WAITS}
    left = {cause: engine["counters"][cause] for cause in WAITS}
    for event in engine["events"]:
        share = layers.setdefault(event[node], Share())
        for cause, place in places.items():
            share.cycles[cause] += event[place]
            left[cause] -= event[place]
    rest = layers.setdefault(REST, Share())
    for cause in WAITS:
        rest.cycles[cause] += left[cause]


def _add_busy(layers: dict[str, dict[str, Share]], rows: list[Work], config: AcceleratorConfig, graph: Graph) -> None:
    """Busy cycles of every layer on every kind of engine, told apart."""
    nodes = {node.name: node for node in graph.nodes}
    sums: dict[tuple[str, str], list[Work]] = {}
    for row in rows:
        if row.issue:
            sums.setdefault((kind_of(config.engines[row.engine]), row.node), []).append(row)
    for (kind, name), mine in sums.items():
        share = layers[kind].setdefault(name, Share())
        multipliers = config.array_macs if kind == "pointwise" else config.lanes
        share.macs = _macs(graph, nodes.get(name), kind)
        for cause, cycles in _split(mine, share.macs, multipliers).items():
            share.cycles[cause] += cycles


def _split(rows: list[Work], macs: int, multipliers: int) -> dict[str, int]:
    """Busy cycles of one layer: products the network asked for, and what else the multipliers were given."""
    busy, repeated = sum(r.issue for r in rows), sum(r.repeated for r in rows)
    moved = sum(r.issue - r.repeated for r in rows if not r.multiplies)
    if not macs:
        return {"useful": busy - repeated, "recomputed": repeated}
    once = min(round(macs / multipliers), busy - repeated - moved)
    second = once * (max(r.passes for r in rows) - 1)
    second = min(second, busy - repeated - moved - once)
    padding = busy - repeated - moved - once - second
    return {"useful": once + moved, "second_pass": second, "padding": padding, "recomputed": repeated}


def _macs(graph: Graph, node: Node | None, kind: str) -> int:
    """The node's multiply-accumulates where this kind of engine does them."""
    if isinstance(node, DeformConv) or (isinstance(node, Conv) and node.groups > 1):
        return node_macs(graph, node) if kind == "depthwise" else 0
    return node_macs(graph, node) if isinstance(node, Conv) and kind == "pointwise" else 0

# SPDX-License-Identifier: Apache-2.0
"""Cycles per layer out of the simulation's trace."""

from __future__ import annotations

from typing import Any

from codesign.graph.count import node_macs
from codesign.graph.ir import Graph

STALLS = ("token", "param", "memory", "drain")


def layers(graph: Graph, trace: dict[str, Any]) -> list[dict[str, Any]]:
    """A row per layer that has instructions, in order. Layers overlap, so their cycles add up to more than the total.

    ``cycles`` run from a layer's first start to its last retirement; ``busy`` and ``stalls`` are summed over engines.
    """
    columns = trace["columns"]
    at = {name: columns.index(name) for name in ("node", "start", "retire", "busy", *STALLS)}
    spans: dict[str, dict[str, Any]] = {}
    for engine in trace["engines"]:
        for event in engine["events"]:
            name = event[at["node"]]
            if not name:
                continue
            row = spans.setdefault(name, {"start": event[at["start"]], "end": 0, "busy": {}, "stalls": dict.fromkeys(STALLS, 0)})
            row["start"] = min(row["start"], event[at["start"]])
            row["end"] = max(row["end"], event[at["retire"]])
            row["busy"][engine["name"]] = row["busy"].get(engine["name"], 0) + event[at["busy"]]
            for stall in STALLS:
                row["stalls"][stall] += event[at[stall]]
    known = {node.name: node for node in graph.nodes}
    rows = []
    for name, span in sorted(spans.items(), key=lambda item: item[1]["start"]):
        node = known.get(name)
        rows.append(
            {
                "name": name,
                "op": type(node).__name__ if node else "Transfer",
                "macs": node_macs(graph, node) if node else 0,
                "cycles": span["end"] - span["start"],
                **span,
            }
        )
    return rows


def pointwise_macs(graph: Graph) -> int:
    """Multiply-accumulates that the pointwise array does: convolutions that are not depthwise."""
    from codesign.graph.ir import Conv

    return sum(node_macs(graph, node) for node in graph.nodes if isinstance(node, Conv) and node.groups == 1)

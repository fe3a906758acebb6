# SPDX-License-Identifier: Apache-2.0
"""A row per layer: its span, what each engine did for it, and every cycle lost on it by name."""

from __future__ import annotations

from typing import Any

from codesign.graph.count import node_macs
from codesign.graph.ir import Conv, Graph
from codesign.report.shares import KINDS, Share, Shares
from codesign.report.work import Work

TRANSFERS = ("load", "store")


def layers(graph: Graph, trace: dict[str, Any], shares: Shares) -> list[dict[str, Any]]:
    """A row per layer that has instructions, in order. Layers overlap, so their cycles add up to more than the total.

    ``cycles`` run from a layer's first start to its last retirement; ``busy`` and ``stalls`` are summed over engines.
    """
    known = {node.name: node for node in graph.nodes}
    traffic = dram_bytes(shares.works)
    rows = []
    for name, (start, end, engines) in sorted(_spans(trace).items(), key=lambda item: item[1][0]):
        node = known.get(name)
        read, written = traffic[name]
        rows.append(
            {
                "name": name,
                "op": type(node).__name__ if node else "Transfer",
                "macs": node_macs(graph, node) if node else 0,
                "cycles": end - start,
                "start": start,
                "end": end,
                "busy": _busy(engines, shares, name, trace),
                "stalls": _stalls({kind: shares.layers[kind].get(name) for kind in KINDS}),
                "dram_read_bytes": read,
                "dram_write_bytes": written,
            }
        )
    return rows


def _spans(trace: dict[str, Any]) -> dict[str, tuple[int, int, list[str]]]:
    """First start, last retirement and engines of every layer."""
    node, start, retire = (trace["columns"].index(name) for name in ("node", "start", "retire"))
    spans: dict[str, tuple[int, int, list[str]]] = {}
    for engine in trace["engines"]:
        for event in engine["events"]:
            if not event[node]:
                continue
            first, last, engines = spans.get(event[node], (event[start], 0, []))
            engines = engines if engine["name"] in engines else [*engines, engine["name"]]
            spans[event[node]] = min(first, event[start]), max(last, event[retire]), engines
    return spans


def _busy(engines: list[str], shares: Shares, name: str, trace: dict[str, Any]) -> dict[str, int]:
    """Busy cycles by engine."""
    numbers = {engine["name"]: number for number, engine in enumerate(trace["engines"])}
    return {
        engine: sum(work.issue for work in shares.works if work.node == name and work.engine == numbers[engine])
        for engine in engines
    }


def _stalls(found: dict[str, Share | None]) -> dict[str, int]:
    """Lost cycles of a layer over its engines. ``memory`` is ``dram`` + ``bank``."""
    mine = {kind: share.cycles for kind, share in found.items() if share is not None}
    total = {cause: sum(cycles[cause] for cycles in mine.values()) for cause in ("token", "param", "memory", "drain")}
    dram = sum(mine[kind]["memory"] for kind in TRANSFERS if kind in mine)
    lost = {cause: sum(cycles[cause] for cycles in mine.values()) for cause in ("padding", "second_pass", "recomputed")}
    return {**total, "dram": dram, "bank": total["memory"] - dram, **lost}


def dram_bytes(rows: list[Work]) -> dict[str, tuple[int, int]]:
    """(read, written) by layer: maps, parameters and instructions."""
    sums: dict[str, tuple[int, int]] = {}
    for row in rows:
        read, written = sums.get(row.node, (0, 0))
        sums[row.node] = read + row.read_bytes, written + row.write_bytes
    return sums


def pointwise_macs(graph: Graph) -> int:
    """Multiply-accumulates that the pointwise array does: convolutions that are not depthwise."""
    return sum(node_macs(graph, node) for node in graph.nodes if isinstance(node, Conv) and node.groups == 1)



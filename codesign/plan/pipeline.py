# SPDX-License-Identifier: Apache-2.0
"""Overlap of one group's end with the next one's beginning.

The last slots of a group hold only its later stages: the array would wait there for the gather engines. They are issued
between the first slots of the next group, as far as those need nothing from them.
"""

from __future__ import annotations

from codesign.graph.ir import Graph
from codesign.plan.geometry import input_rows
from codesign.plan.steps import IMAGE, WINDOW, Compute, Fetch, Home, Release, Step, Take
from codesign.plan.views import Layout

Spans = dict[int, tuple[int, int]]  #: plane -> rows


def merged(tail: list[list[Step]], slots: list[list[Step]], graph: Graph, layout: Layout) -> list[list[Step]]:
    """``slots`` with the slots of ``tail`` behind the first ones, each as late as its results allow."""
    result: list[list[Step]] = []
    left = list(tail)
    for number, slot in enumerate(slots):
        while left and _meet(_written(left, layout), _read(slot, graph, layout)):
            result.append(left.pop(0))
        now = left if number == len(slots) - 1 else left[:1]
        left = left[len(now) :]
        work = [step for step in slot if not isinstance(step, Release)]
        ends = [step for step in slot if isinstance(step, Release)]
        result.append(work + [step for part in now for step in part] + ends)
    return result


def zipped(slots: list[list[Step]], more: list[list[Step]], graph: Graph, layout: Layout) -> list[list[Step]]:
    """Two groups side by side, in proportion: each slot of ``more`` as early as it may, all of ``slots`` before its last.

    Maps that get their home in ``slots`` may be shared: nothing of ``more`` comes before that.
    """
    left = [_written([slot], layout) for slot in slots]
    settled = max(
        (i + 1 for i, slot in enumerate(slots) if any(isinstance(s, Home) for s in slot)), default=0
    )
    result: list[list[Step]] = []
    at = 0
    for number, slot in enumerate(more):
        read = _read(slot, graph, layout)
        needed = max((i + 1 for i in range(at, len(slots)) if _meet(left[i], read)), default=0)
        share = -(-len(slots) * (number + 1) // len(more)) if number < len(more) - 1 else len(slots)
        until = max(at, settled, needed, share)
        result += slots[at:until]
        at = until
        result.append(slot)
    return result


def _widen(spans: Spans, plane: int, rows: tuple[int, int]) -> None:
    old = spans.get(plane, rows)
    spans[plane] = (min(old[0], rows[0]), max(old[1], rows[1]))


def _written(slots: list[list[Step]], layout: Layout) -> Spans:
    """Rows of planes that computations and stores in ``slots`` still produce."""
    spans: Spans = {}
    for step in (step for slot in slots for step in slot):
        if isinstance(step, Compute):
            for node, rows in zip(step.nodes, step.rows, strict=True):
                for plane in layout.views[node.output].planes:
                    _widen(spans, plane, rows)
    return spans


def _read(slot: list[Step], graph: Graph, layout: Layout) -> Spans:
    """Rows of planes that loads and computations of ``slot`` read."""
    spans: Spans = {}
    takes = {step.key: step for step in slot if isinstance(step, Take)}
    for step in slot:
        if isinstance(step, Fetch) and step.key[0] != IMAGE:
            for plane in takes[step.key].planes:
                _widen(spans, plane, (takes[step.key].row0, takes[step.key].row1))
        if isinstance(step, Compute) and IMAGE not in step.sources and WINDOW not in step.sources:
            for node, rows in zip(step.nodes, step.rows, strict=True):
                for index, name in enumerate(node.inputs):
                    height = graph.tensors.get(name, graph.input).shape[1]
                    view = layout.views[name]
                    for plane in view.planes:
                        _widen(spans, plane, input_rows(node, index, *rows, height, view.up))
    return spans


def _meet(a: Spans, b: Spans) -> bool:
    return any(p in b and a[p][0] < b[p][1] and b[p][0] < a[p][1] for p in a)


def planes_of(slots: list[list[Step]], layout: Layout) -> frozenset[int]:
    """Planes that computations in ``slots`` read or write."""
    nodes = [n for slot in slots for step in slot if isinstance(step, Compute) for n in step.nodes]
    names = {name for n in nodes for name in (*n.inputs, n.output)}
    return frozenset(p for name in names if name in layout.views for p in layout.views[name].planes)

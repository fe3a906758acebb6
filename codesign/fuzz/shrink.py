# SPDX-License-Identifier: Apache-2.0
"""A failing case made small: fewer nodes, a smaller map, the plainest surroundings that still fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from codesign.errors import UserError
from codesign.fuzz.case import Case
from codesign.fuzz.machines import CONFIG
from codesign.fuzz.source import source
from codesign.graph.ir import Graph

Fails = Callable[[Case], bool]
TRIES = 400  #: runs at most


def shrunk(case: Case, fails: Fails, tries: int = TRIES) -> Case:
    """The smallest case found for which ``fails`` holds, as it does for ``case``."""
    left = tries
    while True:
        for candidate in _smaller(case):
            if left == 0:
                return case
            left -= 1
            if fails(candidate):
                case = candidate
                break
        else:
            return case


def _smaller(case: Case) -> Iterator[Case]:
    """Cases simpler than ``case``, the boldest steps first."""
    graph = _graph(case)
    if graph is None:
        return
    yield from _fewer_nodes(case, graph)
    yield from _smaller_map(case, graph)
    for change in ({"stall": 0.0}, {"latency": 30}, {"rate": 16}, {"outstanding": 8}, {"policy": 0}, {"machine": CONFIG}):
        plain = replace(case, **change)
        if plain != case:
            yield plain


def _fewer_nodes(case: Case, graph: Graph) -> Iterator[Case]:
    tensors = [node.output for node in graph.nodes]
    outputs = list(graph.outputs.values())
    for name in tensors:  # the earliest first
        if [name] != outputs:
            yield from _sound(case, graph, replace(case, output=name))
    for name in reversed(tensors):  # what is nearest to the end
        if name not in outputs:
            yield from _sound(case, graph, replace(case, input=name, crop=None))


def _smaller_map(case: Case, graph: Graph) -> Iterator[Case]:
    _, height, width = graph.input.shape
    for crop in ((1, 1), (height // 2, width // 2), (height // 2, width), (height, width // 2), (height - 1, width), (height, width - 1)):
        if min(crop) > 0 and crop != (height, width):
            yield from _sound(case, graph, replace(case, crop=crop))


def _sound(case: Case, graph: Graph, smaller: Case) -> Iterator[Case]:
    """``smaller`` if its graph can be made and is smaller."""
    found = _graph(smaller)
    if found is None:
        return
    nodes = len(found.nodes) - len(graph.nodes)
    values = _values(found) - _values(graph)
    if nodes < 0 or (nodes == 0 and values < 0):
        yield smaller


def _values(graph: Graph) -> int:
    return sum(tensor.values for tensor in graph.tensors.values())


def _graph(case: Case) -> Graph | None:
    try:
        return source(case)[0]
    except UserError:
        return None

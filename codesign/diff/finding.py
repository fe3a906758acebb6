# SPDX-License-Identifier: Apache-2.0
"""Every layer judged on the inputs it really had: the first one that does not compute what the contract says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from codesign.diff.affine import affine
from codesign.diff.operands import MISSING, Operands, operands
from codesign.diff.rules import SAMPLES, Explanation, Guess, addresses, explain, last_steps, misplaced, sums
from codesign.golden import run_node
from codesign.graph.ir import Conv, DeformConv, Graph, Node


@dataclass(frozen=True, eq=False)
class LayerCheck:
    """One layer: ``bad`` (C, H, W) flags of values that differ from ``want``, the contract's on the inputs it had."""

    node: Node
    inputs: list[np.ndarray]
    zero_points: list[int]
    got: np.ndarray
    want: np.ndarray
    bad: np.ndarray

    @property
    def differing(self) -> int:
        """Values that differ or were never written."""
        return int(self.bad.sum())

    @property
    def greatest(self) -> int:
        """The largest difference of a written value, in codes."""
        written = self.bad & (self.got != MISSING)
        return int(np.abs(self.got.astype(int) - self.want)[written].max(initial=0))


def check_layers(graph: Graph, observed: dict[str, np.ndarray]) -> Iterator[LayerCheck]:
    """Layers in order. ``observed``: tensors by name, integers (C, H, W), `MISSING` where nothing was written.

    An input with missing values is given as the contract has it, from its own layer's check. Tensors that were not
    observed at all are computed.
    """
    zero = {graph.input.name: graph.input.zero_point, **{name: t.zero_point for name, t in graph.tensors.items()}}
    seen = {graph.input.name: observed[graph.input.name].astype(np.int8)}
    for node in graph.nodes:
        inputs, zeros = [seen[name] for name in node.inputs], [zero[name] for name in node.inputs]
        want = run_node(node, _bounded(node, inputs), zeros)
        got = observed[node.output].astype(np.int16) if node.output in observed else want.astype(np.int16)
        seen[node.output] = np.where(got == MISSING, want, got).astype(np.int8)
        yield LayerCheck(node, inputs, zeros, got, want, got != want)


def _bounded(node: Node, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Distances out of range are the fault of the layer that made them; here they are clamped."""
    if not isinstance(node, DeformConv):
        return inputs
    return [inputs[0], inputs[1].clip(0 if node.form == "square" else -node.bound, node.bound)]


@dataclass(frozen=True, eq=False)
class Finding:
    """The first value (in channel, row, column order) that a layer has wrong; ``got`` None: never written."""

    check: LayerCheck
    channel: int
    y: int
    x: int
    got: int | None
    want: int
    taken: Operands | None
    explanation: Explanation | None

    @staticmethod
    def of(check: LayerCheck) -> Finding:
        """Of a layer with at least one difference."""
        channel, y, x = (int(i) for i in np.argwhere(check.bad)[0])
        got, want = int(check.got[channel, y, x]), int(check.want[channel, y, x])
        one = np.array([y]), np.array([x])
        taken = operands(check.node, _bounded(check.node, check.inputs), check.zero_points, channel, *one)
        if got == MISSING:
            return Finding(check, channel, y, x, None, want, taken, None)
        return Finding(check, channel, y, x, got, want, taken, _explained(check, channel))


def _explained(check: LayerCheck, channel: int) -> Explanation | None:
    """Tried on up to `SAMPLES` differing and as many agreeing values of the channel, evenly spread."""
    written = check.got[channel] != MISSING
    places = [_spread(np.argwhere(flags & written)) for flags in (check.bad[channel], ~check.bad[channel])]
    ys, xs = np.concatenate(places).T
    bad = np.arange(len(ys)) < len(places[0])
    return explain(_guesses(check, channel, ys, xs), check.got[channel, ys, xs], bad)


def _spread(places: np.ndarray) -> np.ndarray:
    if len(places) <= SAMPLES:
        return places
    return places[np.linspace(0, len(places) - 1, SAMPLES).round().astype(int)]


def _guesses(check: LayerCheck, channel: int, ys: np.ndarray, xs: np.ndarray) -> Iterator[Guess]:
    node, last = check.node, affine(check.node, channel, check.zero_points)
    taken = operands(node, _bounded(node, check.inputs), check.zero_points, channel, ys, xs)
    if last is not None and taken is not None:
        yield from last_steps(last, taken.sums)
        if isinstance(node, Conv | DeformConv):
            yield from sums(last, taken, node.weight_bits)
            yield from addresses(last, taken, check.inputs[0], check.zero_points[0])
    if isinstance(node, DeformConv):
        plain = [check.inputs[0], np.full_like(check.inputs[1], 1 if node.form == "square" else 0)]
        still = operands(node, plain, check.zero_points, channel, ys, xs)
        if still is not None and last is not None:
            yield "distances ignored: taps as of a plain kernel", last.codes(still.sums)
    yield from misplaced(check.want, channel, ys, xs)


def clearest(checks: list[LayerCheck]) -> Finding | None:
    """Of layers that are wrong by themselves, the first whose difference one rule explains fully: one fault often shows in
    many layers, and a layer whose input is stored in a special way (the stem) hides the rule."""
    found = (Finding.of(check) for check in checks if check.differing)
    return next((one for one in found if one.explanation is not None and one.explanation.certain), None)

# SPDX-License-Identifier: Apache-2.0
"""Boundary conditions and stall causes that a case reached, by name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from codesign.fuzz.case import Case
from codesign.golden import accumulate
from codesign.golden.sums import tap_shift
from codesign.graph.ir import Add, Conv, DeformConv, GlobalAveragePool, Graph, MaxPool
from codesign.numeric import (
    CODE_MAX,
    CODE_MIN,
    MULTIPLIER_MAX,
    SCALED_LIMIT,
    SHIFT_MAX,
    SHIFT_MIN,
    WEIGHT_MAX,
    WEIGHT_MIN,
    accumulator_bounds,
)
from codesign.plan import Plan
from codesign.program import isa
from codesign.program.program import Program
from codesign.verify.frame import Frame

Conditions = Iterator[tuple[str, bool]]

#: All of them, in the order of the table.
BOUNDARIES = (
    "map of 1x1", "map of one row", "map of one column", "one channel", "channels that leave lanes of a word unused",
    "channels that fill words exactly", "more than one plane", "image packed as pixels", "input as planes",
    "region as large as the accumulators", "sums side by side (acc_base)", "sums of more than one instruction",
    "layer cut into strips", "ring of rows", "some outputs masked", "map stored in DRAM and read again",
    "kernel over the border (padding)", "max-pool over the border", "stride 2", "stride 4", "kernel 7x7", "average over a map",
    "d = 0", "d = 1", "d = bound", "d = -bound", "d = 7", "d = -7", "deformed tap outside the map", "nearest x2 in the address",
    "sum of a tensor with itself", "sum at half size", "clamp at lo", "clamp at hi", "code -128", "code 127",
    "tie rounded down to even", "tie rounded up to even", "negative tie", "shift 8", "shift 31", "multiplier 0", "multiplier 65535",
    "bias at the edge of 48 bits", "least sum the weights allow", "greatest sum the weights allow", "sum below -2^21",
    "sum above 2^21", "zero point -128", "zero point 127", "zero point 0", "weight -8", "weight 7", "weight -128", "weight 127",
    "channel of zeros",
)  # fmt: skip

#: Counters of the RTL by engine; the last is derived (see `_queue_full`).
CAUSES = ("busy", "token", "param", "memory", "drain", "idle")
QUEUE_MARGIN, QUEUE_SLACK, QUEUE_WINDOW = 300, 10, 64  #: cycles; times what fetching takes; instructions looked back
INSTRUCTION_BEATS = 8


def boundaries(graph: Graph, golden: dict[str, np.ndarray], plan: Plan) -> frozenset[str]:
    """Which of `BOUNDARIES` hold in a case: in its tensors, their values, its weights or its program."""
    found = [*_maps(graph, golden, plan), *_program(plan)]
    zeros = {name: t.zero_point for name, t in {graph.input.name: graph.input, **graph.tensors}.items()}
    for node in graph.nodes:
        inputs = [golden[name] for name in node.inputs]
        if isinstance(node, Conv | DeformConv | GlobalAveragePool):
            found += _requant(node, accumulate(node, inputs, [zeros[name] for name in node.inputs]), golden[node.output])
        if isinstance(node, Conv | DeformConv):
            found += _weights(node)
        if isinstance(node, DeformConv):
            found += _offsets(node, inputs[1])
        if isinstance(node, Add):
            found += [("sum of a tensor with itself", node.inputs[0] == node.inputs[1])]
    return frozenset(name for name, holds in found if holds)


def _maps(graph: Graph, golden: dict[str, np.ndarray], plan: Plan) -> Conditions:
    lanes = plan.program.config.lanes
    for tensor in graph.tensors.values():
        c, h, w = tensor.shape
        yield "map of 1x1", h == w == 1
        yield "map of one row", h == 1 < w
        yield "map of one column", w == 1 < h
        yield "one channel", c == 1
        yield "channels that leave lanes of a word unused", c % lanes != 0
        yield "channels that fill words exactly", c % lanes == 0
        yield "more than one plane", len(plan.layout.views[tensor.name].planes) > 1
        for zero in (-128, 127, 0):
            yield f"zero point {zero}", tensor.zero_point == zero
        for code in (CODE_MIN, CODE_MAX):
            yield f"code {code}", bool((golden[tensor.name] == code).any())
    yield "image packed as pixels", plan.layout.image
    yield "input as planes", not plan.layout.image
    for node in graph.nodes:
        pad, kernel = getattr(node, "pad", 0), getattr(node, "kernel", 0) or node_kernel(node)
        border = pad > 0 and kernel > 1
        yield "max-pool over the border" if isinstance(node, MaxPool) else "kernel over the border (padding)", border
        yield "stride 2", getattr(node, "stride", 1) == 2
        yield "stride 4", getattr(node, "stride", 1) == 4
        yield "kernel 7x7", kernel == 7
        yield "average over a map", isinstance(node, GlobalAveragePool)


def node_kernel(node: object) -> int:
    """Height of a convolution's kernel; 0 of other nodes."""
    weight = getattr(node, "weight", None)
    return 0 if weight is None else weight.shape[2]


def _program(plan: Plan) -> Conditions:
    config, written = plan.program.config, set()
    strips: set[tuple[str, int, int]] = set()
    for instruction in plan.program.instructions:
        v, op = instruction.values, instruction.opcode
        if op == isa.Opcode.POINTWISE:
            yield "region as large as the accumulators", v["acc_base"] + v["rows"] * v["cols"] == config.acc_depth
            yield "sums side by side (acc_base)", v["acc_base"] > 0
            yield "sums of more than one instruction", not v["first"]
            yield "some outputs masked", bool(v["last"]) and v["dst_mask"] != (1 << config.array_out) - 1
            yield "nearest x2 in the address", bool(v.get("up"))
        if op == isa.Opcode.DEPTHWISE:
            yield "ring of rows", v.get("ring", 0) > 0
            yield "nearest x2 in the address", bool(v.get("up"))
            yield "sum at half size", v["mode"] == isa.Mode.ADD and v.get("up", 0) != v.get("off_up", 0)
        if op == isa.Opcode.STORE:
            written.add(v["dram_addr"])
        if op == isa.Opcode.LOAD:
            yield "map stored in DRAM and read again", v["dram_addr"] in written
        if instruction.written is not None and instruction.written.plane >= 0:
            strips.add((instruction.node, instruction.written.plane, instruction.written.row))
    starts = [(node, plane) for node, plane, _ in strips]
    yield "layer cut into strips", len(starts) != len(set(starts))


def _requant(node: Conv | DeformConv | GlobalAveragePool, acc: np.ndarray, out: np.ndarray) -> Conditions:
    r, shape = node.requant, (-1, 1, 1)
    sums = acc.astype(np.int64)
    scaled = sums * r.multiplier.reshape(shape) + r.bias.reshape(shape)
    shift = r.shift.reshape(shape)
    rest, floor = scaled & ((1 << shift) - 1), scaled >> shift
    tie, inside = rest == (1 << (shift - 1)), (out > r.lo) & (out < r.hi)
    yield "tie rounded down to even", bool((tie & inside & (floor % 2 == 0)).any())
    yield "tie rounded up to even", bool((tie & inside & (floor % 2 == 1)).any())
    yield "negative tie", bool((tie & (scaled < 0)).any())
    yield "clamp at lo", bool((out == r.lo).any() and r.lo > CODE_MIN)
    yield "clamp at hi", bool((out == r.hi).any() and r.hi < CODE_MAX)
    yield "shift 8", bool((r.shift == SHIFT_MIN).any())
    yield "shift 31", bool((r.shift == SHIFT_MAX).any())
    yield "multiplier 0", bool((r.multiplier == 0).any())
    yield "multiplier 65535", bool((r.multiplier == MULTIPLIER_MAX).any())
    yield "bias at the edge of 48 bits", bool((np.abs(scaled) >= SCALED_LIMIT - (1 << 32)).any())
    yield "sum below -2^21", bool((sums < -(1 << 21)).any())
    yield "sum above 2^21", bool((sums > 1 << 21).any())
    if isinstance(node, Conv | DeformConv):
        least, greatest = accumulator_bounds(node.weight)
        busy = np.abs(node.weight.reshape(node.weight.shape[0], -1).astype(np.int64)).sum(axis=1) > 0
        flat = sums.reshape(sums.shape[0], -1)
        yield "least sum the weights allow", bool(((flat.min(axis=1) == least) & busy).any())
        yield "greatest sum the weights allow", bool(((flat.max(axis=1) == greatest) & busy).any())


def _weights(node: Conv | DeformConv) -> Conditions:
    bits = node.weight_bits
    yield f"weight {WEIGHT_MIN[bits]}", bool((node.weight == WEIGHT_MIN[bits]).any())
    yield f"weight {WEIGHT_MAX[bits]}", bool((node.weight == WEIGHT_MAX[bits]).any())
    yield "channel of zeros", bool((~node.weight.reshape(node.weight.shape[0], -1).any(axis=1)).any())


def _offsets(node: DeformConv, offsets: np.ndarray) -> Conditions:
    for d in (0, 1, 7, -7):
        yield f"d = {d}", bool((offsets == d).any())
    yield "d = bound", bool((offsets == node.bound).any())
    yield "d = -bound", bool((offsets == -node.bound).any())
    height, width = offsets.shape[1:]
    y, x = np.mgrid[0:height, 0:width]
    for tap in range(node.weight.shape[2] * node.weight.shape[3]):
        dy, dx = tap_shift(node, offsets, tap)
        at_y, at_x = y + dy, x + dx
        yield "deformed tap outside the map", bool(((at_y < 0) | (at_y >= height) | (at_x < 0) | (at_x >= width)).any())


def stalls(case: Case, program: Program, frame: Frame) -> frozenset[str]:
    """Causes that cost cycles: "engine: cause" by the RTL's counters, a queue that was full, and DRAM's own pauses."""
    found = set()
    for engine in frame.engines:
        name = "depthwise" if engine.name.startswith("depthwise") else engine.name
        found |= {f"{name}: {cause}" for cause in CAUSES if engine.counters[cause]}
    if _queue_full(program, frame):
        found.add("dispatcher: no room in a queue")
    if case.stall:
        found.add("DRAM: random pauses")
    return frozenset(found)


def _queue_full(program: Program, frame: Frame) -> bool:
    """Whether the dispatcher waited for room in a queue or parameter memory.

    An instruction enters its queue no sooner than the one ``queue_depth`` before it has left, and any earlier one of the
    program was dispatched before it started. Where so many more cycles lie between the two than fetching what is between
    them takes, dispatching stood still.
    """
    depth = program.config.queue_depth
    starts = {int(i): int(start) for engine in frame.engines for i, start in zip(engine.events["index"], engine.events["start"], strict=True)}
    behind: dict[int, list[int]] = {}
    before: list[tuple[int, int]] = []  # (cycle of the start, beats fetched up to here)
    fetched = 0
    for index, instruction in enumerate(program.instructions):
        if index not in starts:
            continue
        fetched += INSTRUCTION_BEATS + instruction.values.get("param_beats", 0)
        queue = behind.setdefault(instruction.engine, [])
        if len(queue) > depth:
            left = starts[queue[-depth - 1]]
            if any(left - start > QUEUE_MARGIN + QUEUE_SLACK * (fetched - beats) for start, beats in before[-QUEUE_WINDOW:]):
                return True
        queue.append(index)
        before.append((starts[index], fetched))
    return False

# SPDX-License-Identifier: Apache-2.0
"""What a deformable layer costs: random distances against distance 1, in RTL, bit for bit.

The layers are those of the decoder at 256 × 256. Distances are uniform over 0..bound and independent from pixel to pixel,
which is the worst that the operator can meet: no two taps of neighbours need lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.boards import Board
from codesign.golden import run
from codesign.graph.ir import Conv, DeformConv, Graph, Requant, Tensor
from codesign.graph.rules import check
from codesign.numeric import OFFSET_BOUND
from codesign.plan import Plan, plan
from codesign.program.registers import Counter
from codesign.verify import compare, run_frame
from codesign.verify.frame import Frame

LAYERS = ((1024, 8, 8), (256, 16, 16), (128, 32, 32))  #: channels, height, width of configuration b's decoder
FORMS = ("d = 1", "square", "pairs")
_SHIFT = 20


@dataclass(frozen=True)
class OperatorCost:
    """Cycles of the deformable layer by form, and values that were not golden's.

    ``cycles`` are what its units worked or waited for the scratchpad, a unit's share: neither transfers to and from DRAM
    nor the layers before it hide a slower gather. ``span`` runs from its first start to its last retirement.
    """

    channels: int
    height: int
    width: int
    cycles: dict[str, int]
    span: dict[str, int]
    mismatches: int

    def ratio(self, form: str) -> float:
        """Cycles relative to distance 1 everywhere."""
        return self.cycles[form] / self.cycles[FORMS[0]]


def measure_operator(shape: tuple[int, int, int], board: Board, library: Path, seed: int = 0) -> OperatorCost:
    """One layer in every form on the board's accelerator, compiled as ``library``."""
    codes = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
    cycles, span, wrong = {}, {}, 0
    for form in FORMS:
        graph = operator_graph(shape, form, seed)
        planned = plan(graph, board.accelerator, board.dram)
        frame = run_frame(library, planned.program, board, codes)
        wrong += compare(planned, graph, run(graph, codes), frame).mismatches
        cycles[form], span[form] = _of_layer(frame, planned, "deform")
    return OperatorCost(*shape, cycles, span, wrong)


def _of_layer(frame: Frame, planned: Plan, layer: str) -> tuple[int, int]:
    """(a unit's share of busy and memory cycles, span) of a layer on the depthwise units."""
    units = [engine for engine in frame.engines if engine.name.startswith("depthwise")]
    nodes = np.array([i.node for i in planned.program.instructions])
    events = np.concatenate([e.events[nodes[e.events["index"]] == layer] for e in units])
    work = events["activity"][:, [Counter.BUSY, Counter.MEMORY]].sum()
    return round(work / len(units)), int(events["retire"].max() - events["start"].min())


def operator_graph(shape: tuple[int, int, int], form: str, seed: int = 0) -> Graph:
    """An offset convolution that takes its offsets from single channels of the input, and the deformable layer."""
    channels, height, width = shape
    count = 18 if form == "pairs" else 1
    weight = np.zeros((count, channels, 1, 1), np.int8)
    weight[np.arange(count), np.arange(count) % channels] = 1
    low = -OFFSET_BOUND if form == "pairs" else 0
    values = OFFSET_BOUND - low + 1  # equally likely: code q becomes floor((q + 128) * values / 256) + low
    scale = np.full(count, values << (_SHIFT - 8), np.int64)
    bias = np.full(count, ((values << _SHIFT) // 2) - (1 << (_SHIFT - 1)) + (low << _SHIFT) + 1, np.int64)
    clamp = (1, 1) if form == "d = 1" else (low, OFFSET_BOUND)
    # a multiplier of at least 2**15 says the same number with a larger shift
    up = max(0, 16 - int(scale[0]).bit_length())
    requant = Requant(scale << up, np.full(count, _SHIFT + up), bias << up, 0, *clamp)
    offset = Conv("offset", ("input",), "offset", weight, 4, requant)
    taps = np.random.default_rng(seed).integers(-7, 8, (channels, 1, 3, 3), dtype=np.int8)
    plain = Requant(np.full(channels, 40000), np.full(channels, 22), np.zeros(channels, np.int64), 0)
    kind = "pairs" if form == "pairs" else "square"
    deform = DeformConv("deform", ("input", "offset"), "deform", taps, 4, plain, kind, OFFSET_BOUND)
    tensors = {
        "input": Tensor("input", shape, 1.0, 0),
        "offset": Tensor("offset", (count, height, width), 1.0, 0),
        "deform": Tensor("deform", shape, 1.0, 0),
    }
    graph = Graph(tensors["input"], (offset, deform), tensors, {"out": "deform"}, {"act_bits": 8})
    check(graph)
    return graph

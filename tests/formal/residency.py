# SPDX-License-Identifier: Apache-2.0
"""No tap reads a row that is gone: exhaustively, on the instructions of every small network around a gather."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from unittest.mock import patch

import numpy as np

from codesign.graph.ir import Conv, DeformConv, Graph, MaxPool, Node, Requant, Tensor, Upsample
from codesign.graph.rules import check as check_graph
from codesign.plan import planner
from codesign.plan.policy import Policy
from codesign.plan.steps import Shape
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction
from tests.formal.order import Order

CHANNELS, WIDTH = 2, 2
WORD_BYTES = AcceleratorConfig().word_bytes
Word = tuple[int, int, int]  #: plane, row, column


@dataclass(frozen=True)
class Case:
    """A gather, ``kind`` "plain", "square", "pairs", "pool" or "upsampled", of a 1x1 layer's map or of one that is
    ``loaded`` strip by strip from DRAM, with a 1x1 layer behind it or the ``last`` layer; ``strip`` output rows at a
    time, in a ring that is ``tight`` or has room for a strip more."""

    kind: str
    kernel: int
    stride: int
    bound: int
    loaded: bool
    height: int
    strip: int
    tight: bool
    last: bool


def gathers(bounds: range) -> Iterator[tuple[str, int, int, int]]:
    """(kind, kernel, stride, bound) of the gathers with a halo."""
    for kernel in (3, 5, 7):
        yield from (("plain", kernel, 1, 0), ("plain", kernel, 2, 0))
    yield from (("pool", 3, 2, 0), ("pool", 2, 2, 0), ("pool", 3, 1, 0), ("upsampled", 3, 1, 0))
    for bound in bounds:
        yield from (("square", 3, 1, bound), ("pairs", 3, 1, bound))


def cases(heights: range, bounds: range) -> Iterator[Case]:
    for gather, height in product(gathers(bounds), heights):
        if gather[:2] == ("pool", 2) and height < 2:
            continue
        for strip, loaded, tight, last in product(range(1, height + 1), *[(False, True)] * 3):
            if not (loaded and gather[0] == "upsampled"):
                yield Case(*gather, loaded, height, strip, tight, last)


def problem(case: Case) -> tuple[str, int]:
    """("" or what goes wrong, how many rows the gather's ring has: 0 for the whole map)."""
    graph, only = _graph(case), [Shape(case.strip, case.tight)]
    with patch.object(planner, "shapes", lambda *_: (only, [])):
        planned = planner.plan_by(graph, AcceleratorConfig(depthwise_units=1 + case.strip % 2), Policy())
    instructions = [i for i in planned.program.instructions if i.opcode != isa.Opcode.HALT]
    gather = next(node for node in graph.nodes if node.name == "gather")
    planes = [planned.layout.views[name].planes[0] for name in gather.inputs]
    image = planned.program.inputs.planes[0] // WORD_BYTES
    found = _Walk(instructions, gather, planes, range(image, image + case.height * WIDTH)).problem()
    return found, max((1 << i.values["ring"] for i in instructions if i.values.get("ring")), default=0)


def window(values: dict[str, int], bound: int) -> range:
    """Stored rows that an instruction's taps may lie in, by the definition in docs/architecture.md, for any offset within
    ``bound``."""
    last = values["y0"] + (values["rows"] - 1) * values["stride"]
    half = values["kh"] // 2
    match isa.Deform(values.get("deform", 0)):
        case isa.Deform.NONE:
            low, high = values["y0"], last + values["kh"] - 1
        case isa.Deform.SQUARE:
            low, high = values["y0"] + half - half * bound, last + half + (values["kh"] - 1 - half) * bound
        case isa.Deform.PAIRS:
            low, high = values["y0"] - bound, last + values["kh"] - 1 + bound
    low, high = max(low, 0), min(high, values["in_h"] - 1)
    return range(low >> values["up"], (high >> values["up"]) + 1) if low <= high else range(0)


class _Walk:
    """The scratchpad in program order: which word each address holds, who wrote it, and who has read it since."""

    def __init__(self, instructions: list[Instruction], gather: Node, planes: list[int], image: range):
        self._instructions, self._gather, self._planes, self._image = instructions, gather, planes, image
        self._order = Order(instructions)
        self._holds: dict[int, Word | None] = {}
        self._writers: dict[int, list[int]] = defaultdict(list)
        self._readers: dict[int, list[int]] = defaultdict(list)

    def problem(self) -> str:
        for i, instruction in enumerate(self._instructions):
            found = ""
            if instruction.node == "gather" and instruction.opcode == isa.Opcode.DEPTHWISE:
                found = self._read(i, dict(self._taps(instruction.values)))
            found = found or self._write(i, instruction)
            if found:
                return f"instruction {i}: {found}"
        return ""

    def _taps(self, v: dict[str, int]) -> Iterator[tuple[int, Word]]:
        """(address, word wanted) of every place a tap or an offset of the instruction may read."""
        ring = (1 << v["ring"]) - 1 if v["ring"] else 0xFFFF
        for row in window(v, getattr(self._gather, "bound", 0)):
            for col in range(-(-v["in_w"] >> v["up"])):
                yield (v["src"] + (row & ring) * v["pitch"] + col) % (1 << 16), (self._planes[0], row, col)
        if v.get("deform", 0):
            first = (v["y0"] + v["kh"] // 2) // v["stride"]  # output row
            for row in range(v["rows"]):
                for col in range(v["cols"]):
                    address = (v["off_src"] + row * v["off_pitch"] + col) % (1 << 16)
                    yield address, (self._planes[1], first + row, col)

    def _read(self, i: int, taps: dict[int, Word]) -> str:
        for address, word in taps.items():
            if self._holds.get(address) != word:
                return f"wants {word}, program order has {self._holds.get(address)} there"
            for writer in self._writers[address]:
                if not self._order.finished(writer, i):
                    return f"reads {word} perhaps before {writer} has written it"
            self._readers[address].append(i)
        return ""

    def _write(self, i: int, instruction: Instruction) -> str:
        for address, word in self._written(instruction):
            if word is None or self._holds.get(address) != word:
                for reader in self._readers.pop(address, []):
                    if not (self._order.finished(reader, i) or self._order.behind(reader, i)):
                        return f"overwrites {self._holds[address]} while {reader} may still read it"
                for writer in self._writers.pop(address, []):
                    if not (self._order.finished(writer, i) or self._order.behind(writer, i)):
                        return f"{writer} may write {self._holds[address]} over {word} later"
                self._holds[address] = word
            elif any(not self._order.finished(r, i) and not self._order.behind(r, i) for r in self._readers[address]):
                return f"writes lanes of {word} while another reads it"
            self._writers[address].append(i)
        return ""

    def _written(self, instruction: Instruction) -> Iterator[tuple[int, Word | None]]:
        """(address, what it holds then) of every word written; the input's plane is the one loaded words are named by."""
        v, w = instruction.values, instruction.written
        if w is not None:
            for row, col in np.ndindex(w.rows, w.cols):
                yield (v["dst"] + row * v["dst_pitch"] + col) % (1 << 16), (w.plane, w.row + row, w.col + col)
        elif instruction.opcode == isa.Opcode.LOAD:
            for row, col in np.ndindex(v["rows"], v["row_words"]):
                at = v["dram_addr"] // WORD_BYTES + row * (v["dram_stride"] // WORD_BYTES) + col - self._image.start
                word = (self._planes[0], at // WIDTH, at % WIDTH) if 0 <= at < len(self._image) else None
                yield (v["spad_addr"] + row * v["spad_stride"] + col) % (1 << 16), word


def _graph(case: Case) -> Graph:
    up, pairs = case.kind == "upsampled", case.kind == "pairs"
    height, width = case.height, WIDTH
    source = "image" if case.loaded else "made"
    shapes = {"image": (CHANNELS, height, width)} | {source: (CHANNELS, height, width)}
    nodes: list[Node] = [] if case.loaded else [_conv("made", "image", CHANNELS)]
    if case.kind in ("square", "pairs"):
        count = 18 if pairs else 1
        shapes["offset"] = (count, height, width)
        nodes.append(_conv("offset", source, count, lo=-case.bound if pairs else 0, hi=case.bound))
    if up:
        source, height, width = "large", 2 * height, 2 * width
        shapes["large"] = (CHANNELS, height, width)
        nodes.append(Upsample("large", ("made",), "large"))
    kernel, stride = case.kernel, case.stride
    pad = 0 if case.kind == "pool" and kernel == 2 else kernel // 2
    weight = np.arange(CHANNELS * kernel * kernel).reshape(CHANNELS, 1, kernel, kernel).astype(np.int8) % 7
    if case.kind == "pool":
        nodes.append(MaxPool("gather", (source,), "gather", kernel, stride, pad))
    elif "offset" in shapes:
        nodes.append(DeformConv("gather", (source, "offset"), "gather", weight, 4, _requant(CHANNELS), case.kind, case.bound))
    else:
        nodes.append(Conv("gather", (source,), "gather", weight, 4, _requant(CHANNELS), stride, pad, CHANNELS))
    shape = (CHANNELS, (height + 2 * pad - kernel) // stride + 1, (width + 2 * pad - kernel) // stride + 1)
    shapes |= {node: shape for node in ("gather", *(() if case.last else ("out",)))}
    if not case.last:
        nodes.append(_conv("out", "gather", CHANNELS))
    tensors = {name: Tensor(name, shape, 1.0, 0) for name, shape in shapes.items()}
    graph = Graph(tensors["image"], tuple(nodes), tensors, {"out": nodes[-1].name}, {})
    check_graph(graph)
    return graph


def _conv(name: str, source: str, count: int, lo: int = -128, hi: int = 127) -> Conv:
    return Conv(name, (source,), name, np.ones((count, CHANNELS, 1, 1), np.int8), 4, _requant(count, lo, hi))


def _requant(count: int, lo: int = -128, hi: int = 127) -> Requant:
    ones = np.ones(count, np.int64)
    return Requant(ones * 2**15, ones * 16, ones * 0, 0, lo, hi)

# SPDX-License-Identifier: Apache-2.0
"""The layers as processes on streams: FIFO depths that cannot deadlock, and an estimate of a frame's latency.

A process reads and writes its streams in the order of its kernel's loops and waits on an empty or a full one. Whether
such a network deadlocks depends on the depths alone, not on who runs when, so one run decides it (Kahn; Parks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hw.hls.config import constants, filled

#: words a FIFO of a path that waits gets beyond what the run needs: a pipelined loop that is stalled on an empty input
#: holds back results it has already computed
SLACK = 8
_WALKING = ("CodesignDepthwise", "CodesignDeform", "CodesignMaxPool")
Op = tuple[bool, int]  # (is a write, number of the stream among the process' reads or writes)


@dataclass(frozen=True)
class Process:
    """``program`` in order; ``cycles`` is the time of one write."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    program: tuple[Op, ...]
    cycles: int = 1


READ, WRITE = (False, 0), (True, 0)


def program(kind: str, attributes: Mapping[str, Any]) -> tuple[Op, ...]:
    """Of one frame of a layer of the extension, or of hls4ml's Concatenate."""
    if kind == "Concatenate":
        pixels = attributes["pixels"]
        return (READ, (False, 1), WRITE) * pixels
    a = filled(attributes)
    height, width = a["in_height"], a["in_width"]
    if kind == "CodesignUpsample":
        even = (READ, WRITE, WRITE) * width
        return (even + (WRITE,) * (2 * width)) * height
    values = constants(a)
    if kind in _WALKING or (kind == "CodesignConv" and (values["taps"], a["stride"], a["pad"]) != (1, 1, 0)):
        return _walk(values, kind == "CodesignDeform")
    return (READ, WRITE) * (height * width)


def _walk(v: Mapping[str, Any], offsets: bool) -> tuple[Op, ...]:
    """The loops of `walk_rows` in nnet_utils/codesign_rows.h."""
    ops: list[Op] = []
    oy = 0
    for w in range(v["steps"]):
        due = oy < v["out_height"] and w - 1 >= oy * v["stride"] + v["below"]
        for x in range(v["columns"]):
            if w < v["in_height"] and x < v["in_width"]:
                ops.append(READ)
            if due and x < v["out_width"]:
                ops += [(False, 1), WRITE] if offsets else [WRITE]
        oy += due
    return tuple(ops)


def least_depths(processes: Sequence[Process]) -> dict[str, int]:
    """Depths, 2 or more, with which the network finishes its programs. Raises ValueError where no depths would do.

    Streams that nobody writes (or reads) are always ready. A network that stalls gets one word more in the smallest
    full stream that a process waits for (Parks), until it runs to its end.
    """
    written = {name for process in processes for name in process.writes}
    read = {name for process in processes for name in process.reads}
    depth = dict.fromkeys(sorted(written & read), 2)
    fill = dict.fromkeys(depth, 0)
    at = [0] * len(processes)
    while True:
        full = _advance(processes, at, depth, fill)
        if all(place == len(process.program) for place, process in zip(at, processes, strict=True)):
            return depth
        if not full:
            raise ValueError("the processes wait for words that nobody writes")
        depth[min(full, key=lambda name: (depth[name], name))] += 1


def _advance(processes: Sequence[Process], at: list[int], depth: dict[str, int], fill: dict[str, int]) -> set[str]:
    """Run every process as far as it gets; the full streams that some then wait for."""
    while True:
        moved, full = False, set()
        for number, process in enumerate(processes):
            here = at[number]
            while here < len(process.program):
                writing, port = process.program[here]
                if writing:
                    blocked = [name for name in process.writes if name in fill and fill[name] >= depth[name]]
                    if blocked:
                        full.update(blocked)
                        break
                    for name in process.writes:
                        if name in fill:
                            fill[name] += 1
                else:
                    name = process.reads[port]
                    if name in fill:
                        if not fill[name]:
                            break
                        fill[name] -= 1
                here += 1
            moved, at[number] = moved or here != at[number], here
        if not moved:
            return full


def finishes(processes: Sequence[Process], depth: Mapping[str, int]) -> bool:
    """Whether the network runs to its end with these depths."""
    at, fill = [0] * len(processes), dict.fromkeys(depth, 0)
    _advance(processes, at, dict(depth), fill)
    return all(place == len(process.program) for place, process in zip(at, processes, strict=True))


def padded(depth: Mapping[str, int]) -> dict[str, int]:
    """`least_depths` with `SLACK` where more than two words wait."""
    return {name: words if words <= 2 else words + SLACK for name, words in depth.items()}


def latency(processes: Sequence[Process]) -> int:
    """Estimated cycles from the first word in to the last one out, FIFOs never full; processes in topological order."""
    arrival: dict[str, list[int]] = {}
    last = 0
    for process in processes:
        sources = [arrival.get(name) for name in process.reads]
        taken, now, out = [0] * len(sources), 0, []
        for writing, port in process.program:
            if writing:
                now += process.cycles
                out.append(now)
                continue
            words = sources[port]
            now = max(now + 1, words[taken[port]] if words is not None else 0)
            taken[port] += 1
        for name in process.writes:
            arrival[name] = out
        last = max(last, now)
    return last

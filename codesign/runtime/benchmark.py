# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.runtime.benchmark detector.zip``: the host's share of a frame, measured here and counted.

Nothing of the accelerator runs: the outputs are random codes as a trained heatmap has them, few high ones among many low.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator

import numpy as np

from codesign import decode
from codesign.decode import TOP, best_peaks
from codesign.runtime.device import Buffer
from codesign.runtime.package import Package
from codesign.runtime.slot import Slot

#: Assumptions about a Cortex-A9 at 650 MHz (the PYNQ-Z2's), not measurements.
A9_HERTZ = 650e6
A9_CYCLES_AN_ELEMENT = 8  #: a load, an operation, a store and the loop around them, one instruction a cycle, no SIMD
A9_CYCLES_A_LINE = 80  #: 32 bytes of picture or outputs from or to DDR, with flush and invalidate
A9_CYCLES_A_CALL = 8000  #: what NumPy does around a loop, and Python around that
LINE_BYTES = 32
TARGET_FPS = 130


@dataclass(frozen=True)
class Work:
    """What a step of the host's share does: array ``elements`` worked on, in ``calls`` of NumPy, and cache ``lines`` moved."""

    name: str
    elements: int
    calls: int
    lines: int = 0

    @property
    def a9_seconds(self) -> float:
        """Estimated, by the assumptions above."""
        cycles = self.elements * A9_CYCLES_AN_ELEMENT + self.calls * A9_CYCLES_A_CALL + self.lines * A9_CYCLES_A_LINE
        return cycles / A9_HERTZ


class _Memory:
    """A device that has memory only."""

    def allocate(self, size: int) -> Buffer:
        return Buffer(0, np.zeros(size, np.uint8))


def count(package: Package, hm: np.ndarray, four: bool = False) -> list[Work]:
    """The work of a frame whose heatmap codes are ``hm``; with ``four`` bytes a pixel where the picture has them."""
    what = package.description
    height, width = what.size
    heat = what.outputs["hm"]
    looked_at = positions(hm)
    if four:  # one copy, a word at a time
        picture = Work("picture into memory (H, W, 4)", height * width, 4, 8 * height * width // LINE_BYTES)
    else:
        picture = Work("picture into memory (H, W, 3)", 3 * height * width, 8, 7 * height * width // LINE_BYTES)
    return [
        picture,
        Work("heatmap out of memory", hm.size, 4 + 5 * len(heat.planes), len(heat.planes) * heat.words * what.lanes // LINE_BYTES),
        Work("threshold of the codes", hm.size * 5 // 4 + hm.size // 2, 8),  # a sample sorted; one comparison; nonzero looks at words
        Work(f"neighbours of {looked_at} positions", 8 * 6 * looked_at, 24),
        Work(f"boxes of {TOP} winners", 40 * TOP, 48, 2 * TOP),
    ]


def positions(hm: np.ndarray) -> int:
    """How many positions `best_peaks` compares with their neighbours, at the last threshold it tries."""
    seen: list[int] = []
    original = decode._peaks_among

    def watched(flat: np.ndarray, places: np.ndarray, h: int, w: int) -> np.ndarray:
        seen.append(places.size)
        return original(flat, places, h, w)

    decode._peaks_among = watched
    try:
        best_peaks(hm)
    finally:
        decode._peaks_among = original
    return sum(seen)


def heatmap(package: Package, seed: int = 0) -> dict[str, np.ndarray]:
    """Codes of the outputs: smooth, mostly low, with some peaks."""
    noise = np.random.RandomState(seed)
    codes = {}
    for role, tensor in package.description.outputs.items():
        low = np.clip(np.rint(noise.normal(-90, 12, tensor.shape)), -128, 127).astype(np.int8)
        if role == "hm":
            spots = noise.rand(*tensor.shape) < 0.005
            low[spots] = noise.randint(-20, 128, int(spots.sum())).astype(np.int8)
        codes[role] = low
    return codes


def measure(package: Package, frames: int = 50) -> Iterator[tuple[str, float]]:
    """Name and median seconds of each step, over ``frames``."""
    slot = Slot(_Memory(), package)  # type: ignore[arg-type]
    height, width = package.description.size
    image = np.random.RandomState(1).randint(0, 256, (height, width, 3)).astype(np.uint8)
    codes = heatmap(package)
    quantisers = {role: (t.scale, t.zero_point) for role, t in package.description.outputs.items()}
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("picture into memory", lambda: slot.write(image)),
        ("heatmap out of memory", slot.heat),
        ("peaks in the heatmap", lambda: best_peaks(codes["hm"])),
        ("decoding, peaks included", lambda: decode.decode_codes(codes, quantisers)),
    ]
    for name, work in steps:
        times = []
        for _ in range(frames):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        yield name, sorted(times)[len(times) // 2]


def report(package: Package, frames: int = 50) -> list[str]:
    """Lines to print: measured here, counted, estimated for a Cortex-A9."""
    measured = dict(measure(package, frames))
    total = sum(seconds for name, seconds in measured.items() if name != "peaks in the heatmap")
    lines = [f"measured on this machine, median of {frames} frames:"]
    lines += [f"  {name:<36}{seconds * 1e3:8.3f} ms" for name, seconds in measured.items()]
    lines.append(f"  {'host in all':<36}{total * 1e3:8.3f} ms, {1 / total:,.0f} frames/s")
    lines.append(f"{'counted:':<38}{'elements':>10}{'calls':>7}{'lines':>8}   estimated on a Cortex-A9")
    codes = heatmap(package)["hm"]
    work = count(package, codes)
    lines += [_row(f"  {each.name}", [each]) for each in work]
    lines.append(_row("  in all", work))
    lines.append(_row("  in all, pictures of 4 bytes a pixel", count(package, codes, four=True)))
    rate = 1 / sum(each.a9_seconds for each in work)
    lines.append(
        f"estimate for a {A9_HERTZ / 1e6:.0f} MHz Cortex-A9, assuming {A9_CYCLES_AN_ELEMENT} cycles an array element, {A9_CYCLES_A_CALL:,} a "
        f"NumPy call and {A9_CYCLES_A_LINE} a cache line of {LINE_BYTES} bytes: {rate:,.0f} frames/s, which "
        f"{'keeps up with' if rate >= TARGET_FPS else 'stays below'} {TARGET_FPS}; not measured on a board"
    )
    return lines


def _row(name: str, work: list[Work]) -> str:
    elements, calls, moved = (sum(getattr(each, field) for each in work) for field in ("elements", "calls", "lines"))
    return f"{name:<38}{elements:>10,}{calls:>7,}{moved:>8,}{sum(each.a9_seconds for each in work) * 1e3:>12.2f} ms"


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="the host's share of a frame")
    parser.add_argument("package", help="a deployment zip")
    parser.add_argument("--frames", type=int, default=50)
    options = parser.parse_args(arguments)
    print("\n".join(report(Package.read(options.package), max(1, options.frames))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

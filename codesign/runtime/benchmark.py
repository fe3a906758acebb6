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

from codesign.decode import CODES, TOP, best_peaks, decode_codes
from codesign.runtime.device import Buffer
from codesign.runtime.package import Package
from codesign.runtime.slot import Slot

#: Assumptions about a Cortex-A9 at 650 MHz, not measurements: what NumPy does there with arrays, and for each call.
A9_ELEMENTS_A_SECOND = 60e6  #: about eleven cycles an array element
A9_SECONDS_A_CALL = 12e-6  #: about 8,000 cycles a NumPy call
TARGET_FPS = 130


@dataclass(frozen=True)
class Work:
    """What a step of the host's share does to arrays: ``elements`` read or written, in ``calls`` of NumPy."""

    name: str
    elements: int
    calls: int

    @property
    def a9_seconds(self) -> float:
        """Estimated, by the assumptions above."""
        return self.elements / A9_ELEMENTS_A_SECOND + self.calls * A9_SECONDS_A_CALL


class _Memory:
    """A device that has memory only."""

    def allocate(self, size: int) -> Buffer:
        return Buffer(0, np.zeros(size, np.uint8))


def count(package: Package, hm: np.ndarray) -> list[Work]:
    """The work of a frame whose heatmap codes are ``hm``."""
    what = package.description
    height, width = what.size
    outputs = what.outputs.values()
    values = sum(int(np.prod(tensor.shape)) for tensor in outputs)
    counts = np.bincount(hm.reshape(-1).view(np.uint8) ^ 0x80, minlength=CODES)[::-1].cumsum()
    candidates = int(counts[np.searchsorted(counts, min(4 * TOP, hm.size))])
    compared = 12 * candidates * 2  # two of a peak's eight rivals are asked of most positions
    return [
        Work("picture into memory", 2 * 3 * height * width, 3 + 4),
        Work("outputs out of memory", 2 * values, 2 * sum(tensor.shape[0] for tensor in outputs) + 10),
        Work("histogram and threshold of codes", 4 * hm.size, 8),
        Work(f"neighbours of {candidates} positions", compared, 8 * 14),
        Work(f"boxes of {TOP} winners", 30 * TOP, 40),
    ]


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
        ("outputs out of memory", slot.read),
        ("peaks in the heatmap", lambda: best_peaks(codes["hm"])),
        ("decoding, peaks included", lambda: decode_codes(codes, quantisers)),
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
    work = count(package, heatmap(package)["hm"])
    lines.append("counted:" + " " * 31 + "elements    calls   estimated on a Cortex-A9")
    lines += [f"  {w.name:<36}{w.elements:>9,}{w.calls:>9,}{w.a9_seconds * 1e3:>12.2f} ms" for w in work]
    estimate = sum(w.a9_seconds for w in work)
    lines.append(f"  {'in all':<36}{sum(w.elements for w in work):>9,}{sum(w.calls for w in work):>9,}{estimate * 1e3:>12.2f} ms")
    verdict = "keeps up with" if 1 / estimate >= TARGET_FPS else "stays below"
    lines.append(
        f"estimate, assuming {A9_ELEMENTS_A_SECOND / 1e6:.0f} million array elements a second and {A9_SECONDS_A_CALL * 1e6:.0f} us "
        f"a NumPy call on a 650 MHz Cortex-A9: {1 / estimate:,.0f} frames/s, which {verdict} {TARGET_FPS}; not measured on a board"
    )
    return lines


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

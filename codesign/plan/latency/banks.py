# SPDX-License-Identifier: Apache-2.0
"""How fast depthwise units gather when they share the scratchpad's banks: the arbitration's steady state.

A conflict's cost depends on how addresses step through the banks (rows one below the other may lie in one bank, so that units
in step block each other for ever), which no product of probabilities tells. So the arbiters of `hw.scratchpad` run for a few
hundred cycles on typical access patterns, once for every set of patterns that meet in a program; answers are kept.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import NamedTuple

from codesign.plan.latency import hardware as hw
from codesign.program import isa

_CYCLES = 320  #: cycles of a trial
_TRIALS = 2  #: trials with different relative positions
_BURST = 32  #: pixels after which the pointwise engine may pause
HALVES = 2  #: of a word, to which the phase of packed reads is known
_FARTHEST = 7  #: of a deformed tap, in pixels and in each direction
_NO_READ = -1  #: the bank of a tap that reads nothing


class Gather(NamedTuple):
    """A depthwise instruction's access pattern; ``cycles`` a pixel when no read waits."""

    cycles: float
    mode: int
    kh: int
    kw: int
    stride: int
    pitch: int  # modulo banks
    up: int
    deformed: bool
    wide: int
    spacing: int  # least cycles from pixel to pixel
    cols: int
    left: int  # taps of the first pixel's row that lie outside
    right: int  # likewise of the last one's
    pixel_bits: int  # of a packed word
    reuse: bool = False  # reads what the pixel before did not read
    group: bool = False  # taps of a row that lie in one packed word are one
    height: int = 0  # of the image, where deformed taps may lie outside
    width: int = 0
    pairs: bool = False  # a deformation of its own for every tap
    phase: int = 0  # WINDOW: which half of which bank it reads when the trial begins


class Stream(NamedTuple):
    """The pointwise engine's access pattern: ``quarters`` of the time it reads, every pixel ``step`` words on (``up``: half)."""

    quarters: int
    step: int
    up: int


def _taps(banks: int, g: Gather, rnd: random.Random, pixels: int) -> list[tuple[int, bool, bool]]:
    """(bank or `_NO_READ`, the lanes get it, it ends its pixel) of every read in order, from a random pixel of a row on."""
    if g.deformed:
        return _deformed_taps(banks, g, rnd, pixels)
    base, col, out = rnd.randrange(banks), rnd.randrange(g.cols), []
    if g.mode == isa.Mode.WINDOW:
        base, half = divmod(g.phase, HALVES)
        col = (half << g.pixel_bits) // (HALVES * g.stride) + 1
    width = (g.cols - 1) * g.stride + g.kw - g.left - g.right
    for number in range(pixels):
        start = col * g.stride - g.left
        columns = _columns(g, start)
        for ky in range(g.kh):
            for kx in columns:
                x = start + kx
                if not 0 <= x < width or (g.reuse and number and col and kx + g.stride < g.kw):
                    bank = _NO_READ
                else:
                    step = x >> (g.pixel_bits if g.mode == isa.Mode.WINDOW else g.up)
                    bank = (base + (ky >> g.up) * g.pitch + step) % banks
                out.append((bank, True, ky == g.kh - 1 and kx == columns[-1]))
        col += 1
        if col == g.cols:
            col, base = 0, base + g.pitch * g.stride
    return out


def _deformed_taps(banks: int, g: Gather, rnd: random.Random, pixels: int) -> list[tuple[int, bool, bool]]:
    """Likewise when every tap's place is known at run time only: distances up to `_FARTHEST`, each as likely as any other."""
    base, out = rnd.randrange(banks), []
    for _ in range(pixels):
        out.append((rnd.randrange(banks), False, False))  # the offsets' word
        row, col, far = rnd.randrange(g.height), rnd.randrange(g.width), rnd.randint(0, _FARTHEST)
        for tap in range(g.kh * g.kw):
            ky, kx = divmod(tap, g.kw)
            y, x = ky - g.kh // 2, kx - g.kw // 2
            if g.pairs:
                y, x = y + rnd.randint(-_FARTHEST, _FARTHEST), x + rnd.randint(-_FARTHEST, _FARTHEST)
            else:
                y, x = y * far, x * far
            y, x = row + y, col + x
            inside = 0 <= y < g.height and 0 <= x < g.width
            bank = (base + (y >> g.up) * g.pitch + (x >> g.up)) % banks if inside else _NO_READ
            out.append((bank, True, tap == g.kh * g.kw - 1))
    return out


def _columns(g: Gather, start: int) -> list[int]:
    """The taps of a row that take a cycle each; ``start``: the first one's column in the image."""
    if not g.group:
        return list(range(g.kw))
    left = (1 << g.pixel_bits) - start % (1 << g.pixel_bits)  # pixels in the first tap's word
    return [0] if left >= g.kw else [0, left]


class _Unit:
    """One gather engine: asks for its reads in order, at most `hw.TAPS_AHEAD` before its lanes have used them."""

    def __init__(self, banks: int, pattern: Gather, rnd: random.Random):
        least = pattern.kh * (1 if pattern.group else pattern.kw)  # cycles of a pixel
        self._taps = _taps(banks, pattern, rnd, _CYCLES // least + 6)
        self._pattern = pattern
        self._position = 0
        self._requests: list[tuple[int, int]] = []  # (bank, its place in `_ahead` or -1) of reads that wait for their bank
        self._ahead: list[tuple[int, bool]] = []  # (arrival, ends its pixel) of taps
        self._used = 0
        self._free = self._next_end = 0
        self._ends: list[int] = []

    @property
    def wants(self) -> int:
        """The bank asked for in this cycle, or `_NO_READ`."""
        return self._requests[0][0] if self._requests else _NO_READ

    def granted(self, now: int) -> None:
        _, place = self._requests.pop(0)
        if place >= 0:
            self._ahead[place] = now + hw.GATHER_CYCLES, self._ahead[place][1]

    def walk(self, now: int) -> None:
        """The next tap, or offset, takes its place in the queues, if there is one; what needs no read waits for no bank."""
        bank, tap, ends = self._taps[self._position]
        if len(self._ahead) - self._used >= hw.TAPS_AHEAD:
            return
        if bank != _NO_READ:
            if len(self._requests) >= hw.READS_WAITING:
                return
            self._requests.append((bank, len(self._ahead) if tap else -1))
        if tap:
            self._ahead.append((now + hw.GATHER_CYCLES if bank == _NO_READ else _CYCLES, ends))
        self._position += 1

    def use(self, now: int) -> None:
        """The lanes take a tap that has arrived."""
        if self._used == len(self._ahead) or self._free > now:
            return
        arrival, ends = self._ahead[self._used]
        if arrival > now or (ends and self._next_end > now):
            return
        self._used += 1
        self._free = now + 1 + self._pattern.wide
        if ends:
            self._next_end = now + self._pattern.spacing
            self._ends.append(now)

    @property
    def speed(self) -> float:
        """Of what it would do alone."""
        pixels = len(self._ends) - 1
        if pixels < 1:
            return self._pattern.cycles / _CYCLES
        return self._pattern.cycles * pixels / (self._ends[-1] - self._ends[0])


def _trial(banks: int, stream: Stream | None, gathers: tuple[Gather, ...], store_beats: int, seed: int) -> list[float]:
    rnd = random.Random(seed)
    units = [_Unit(banks, gather, rnd) for gather in gathers]
    clients, last = len(units) + 1, [0] * banks  # of the round robin: the units and the store engine
    base = rnd.randrange(banks)
    for now in range(_CYCLES):
        busy = _NO_READ
        if stream and now % _BURST * 4 < stream.quarters * _BURST:
            if now % (2 * _BURST) == 0:
                base += rnd.randrange(banks)
            busy = (base + (now * stream.step >> stream.up)) % banks
        winners: dict[int, int] = {}
        wants = [unit.wants for unit in units]
        if store_beats and now % store_beats == 0:
            wants.append(now // store_beats % banks)
        for client, bank in enumerate(wants):
            if bank in (_NO_READ, busy):
                continue
            other = winners.get(bank)
            if other is None or (client - last[bank] - 1) % clients < (other - last[bank] - 1) % clients:
                winners[bank] = client
        for bank, client in winners.items():
            last[bank] = client
            if client < len(units):
                units[client].granted(now)
        for unit in units:
            unit.use(now)
            unit.walk(now)
    return [unit.speed for unit in units]


@lru_cache(maxsize=1 << 14)
def speeds(banks: int, stream: Stream | None, gathers: tuple[Gather, ...], store_beats: int) -> tuple[float, ...]:
    """How fast each gather runs beside the others, 1 is `Gather.cycles` a pixel. ``store_beats``: cycles a word, 0: no store."""
    trials = [_trial(banks, stream, gathers, store_beats, seed) for seed in range(_TRIALS)]
    return tuple(sum(values) / _TRIALS for values in zip(*trials, strict=True))

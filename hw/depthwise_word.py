# SPDX-License-Identifier: Apache-2.0
"""The word in which a depthwise unit gathers a pixel's result."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Mode
from hw.depthwise_lanes import STEP
from hw.tap_walker import FLIP

WINDOW_BYTES = 3  # of a pixel's four
WINDOW_TAPS = 3  # of a row, at most, in one group


class ResultWord(wiring.Component):
    """Codes of MAC shift in from above; a tap of MAX raises lanes, one of WINDOW puts three bytes in their place,
    or a group's row all of its taps' from the group's first one on; a second group of the row follows.

    The word is complete in the cycle after the last codes or with ``picked_done``. Codes and taps never come
    together.

    Parameters: ``config``.
    Members: ``move`` with ``codes``; ``pick`` with ``step`` and ``taken``, the tap's word; ``word``, ``picked_done``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "move": In(1),
                "codes": In(8 * config.depthwise_requant),
                "pick": In(1),
                "step": In(STEP),
                "taken": In(8 * config.lanes),
                "word": Out(8 * config.lanes),
                "picked_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, step = self.config.lanes, self.step
        codes, larger, places = self._codes(m), step.mode == Mode.MAX, self._places(m)
        shifted = Cat(self.word, self.codes)[len(self.codes) :]
        m.d.sync += self.picked_done.eq(self.pick & step.last)
        for lane in range(lanes):
            kept, new = self.word.word_select(lane, 8), self.taken.word_select(lane, 8)
            here, way, changes = (
                Signal(name=f"here{lane}"),
                Signal(2, name=f"way{lane}"),
                Signal(name=f"changes{lane}"),
            )
            m.d.comb += [
                here.eq(places[lane // WINDOW_BYTES]),
                way.eq(Mux(self.move, 1, Mux(larger, 2, Mux(here, 3, 0)))),
                changes.eq(self.move | self.pick & (step.first | Mux(larger, greater(m, new, kept), here))),
            ]
            code = codes[lane // WINDOW_BYTES % WINDOW_TAPS]
            moved, placed = shifted.word_select(lane, 8), code.word_select(lane % WINDOW_BYTES, 8)
            with m.If(changes):
                value = Mux(way[1], Mux(way[0], placed, new), Mux(way[0], moved, 0))
                m.d.sync += self.word.word_select(lane, 8).eq(value)
        return m

    def _places(self, m: Module) -> Signal:
        """Which taps' places the tap fills."""
        step, here = self.step, Signal(self.config.lanes // WINDOW_BYTES + 1)
        for t, bit in enumerate(here):
            row = (step.tap[2:4] == t // 3) & (step.tap[:2] <= t % 3)
            m.d.comb += bit.eq(Mux(step.group, row, step.tap[:4] == t))  # a window has at most ten taps
        return here

    def _codes(self, m: Module) -> list[Signal]:
        """Three codes each of a group's three taps, or of a single tap, three times. A group begins with an odd pixel,
        so that each of its taps chooses among half of the word's pixels."""
        step = self.step
        pairs, odd = self.config.lanes // 8, step.pixel[0]
        here = step.pixel[1:][: pairs.bit_length() - 1]
        after = (here + step.group)[: len(here)]
        pixels = [self.taken.word_select(i, 32)[: 8 * WINDOW_BYTES] for i in range(2 * pairs)]
        low = Cat(pixels[0::2]).word_select(after, 8 * WINDOW_BYTES)
        high, next_high = (Cat(pixels[1::2]).word_select(at, 8 * WINDOW_BYTES) for at in (here, after))
        taps = Mux(odd, high, low), Mux(odd & ~step.group, high, low), Mux(odd, next_high, low)
        codes = [Signal(8 * WINDOW_BYTES, name=f"codes{column}") for column in range(len(taps))]
        for code, raw in zip(codes, taps, strict=True):
            m.d.comb += code.eq(raw ^ (FLIP * 0x010101))
        return codes


def greater(m: Module, a: Value, b: Value) -> Value:
    """Whether ``a`` is more than ``b``, signed bytes: two bits a LUT, half of what a carry chain takes."""
    result: Value = Const(0, 1)
    for at in range(0, 8, 2):
        (a0, a1), (b0, b1) = a[at : at + 2], b[at : at + 2]
        if at == 6:
            a1, b1 = b1, a1  # the signs weigh negative
        later = Signal()
        m.d.comb += later.eq((a1 & ~b1) | (~(a1 ^ b1) & ((a0 & ~b0) | (~(a0 ^ b0) & result))))
        result = later
    return result

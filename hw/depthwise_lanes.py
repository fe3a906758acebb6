# SPDX-License-Identifier: Apache-2.0
"""What a depthwise unit does with its taps: multiply and accumulate, or hand them on."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import ACT_BITS, OPERAND_BITS
from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Mode
from hw.booth import DIGIT, add_digit, digit_row, plus, recode
from hw.depthwise_front import multiplies
from hw.depthwise_params import WEIGHT_ROW
from hw.gather import fetched_tap

#: A tap in a unit's pipeline; ``high``: the high half of an 8-bit weight.
STEP = data.StructLayout(
    {
        "mode": Mode,
        "outside": 1,
        "first": 1,
        "last": 1,
        "final": 1,
        "high": 1,
        "half": 1,
        "tap": 6,
        "pixel": 3,
        "group": 1,
    }
)


SUM_BITS = 21  # signed: 49 taps of 128 * 128


def _delayed(m: Module, step: data.View, name: str) -> data.View:
    later = Signal(STEP, name=name, reset_less=True)
    m.d.sync += later.eq(step)
    return later


class DepthwiseLanes(wiring.Component):
    """Runs the taps of a pixel through the lanes: multiplies and accumulates those of MAC, hands on the others.

    One tap a cycle, two cycles for a tap with 8-bit weights; sums are complete `SUM_LATENCY` cycles after the
    pixel's last tap. The pipeline itself never stops: it takes the last tap of a pixel only when ``room`` says that
    its result has a place and the serialiser will be free, and a tap to pick from only when no MAC pixel is on its
    way to the word that both fill. An accumulator has `SUM_BITS`, enough for the largest kernel. Every tap of ADD is a sum
    of its own, with ``sums_adds``, and ``sums_last`` is the pixel's last one.

    Parameters: ``config``.
    Members: ``taps``; ``weight_row`` and ``weights``, of `DepthwiseParams`; ``room``, and ``reserve`` for each
    place taken; ``sums_done``: from the next cycle on, for as long as the serialiser needs, ``sums`` are a pixel's,
    with ``sums_half``, ``sums_final``, ``sums_adds`` and ``sums_last`` in the same cycle as it; ``pick`` with ``picked_step`` and ``picked_word``: a
    tap of MAX or WINDOW; ``finished``: a MAC pixel's word has been written to the queue; ``step``: a tap is in the
    lanes.
    """

    SUM_LATENCY = 5  # operands and weight row, registered weights, low digit's row, products, sums

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "taps": In(stream.Signature(fetched_tap(config))),
                "weight_row": Out(WEIGHT_ROW),
                "weights": In(data.ArrayLayout(OPERAND_BITS, config.lanes)),
                "room": In(1),
                "reserve": Out(1),
                "sums": Out(data.ArrayLayout(signed(SUM_BITS), config.lanes)),
                "sums_done": Out(1),
                "sums_half": Out(1),
                "sums_final": Out(1),
                "sums_adds": Out(1),
                "sums_last": Out(1),
                "pick": Out(1),
                "picked_step": Out(STEP),
                "picked_word": Out(8 * config.lanes),
                "finished": In(1),
                "step": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        tap = self.taps.payload.tap
        now = Signal(STEP)
        low = Signal()  # the second cycle of a tap with 8-bit weights
        same = ("mode", "outside", "half", "tap", "pixel", "group", "final")
        m.d.comb += [now[name].eq(tap[name]) for name in same]
        m.d.comb += [
            now.first.eq(tap.first & ~low),
            now.last.eq(tap.last & (low | ~tap.w8)),
            now.high.eq(tap.w8 & ~low),
            self.step.eq(self.taps.valid & self._may_go(m, now)),
            self.taps.ready.eq(self.step & (low | ~tap.w8)),
            self.reserve.eq(self.step & now.last),
            self.weight_row.tap.eq(tap.tap),
            self.weight_row.high.eq(now.high),
            self.weight_row.half.eq(tap.half),
        ]
        with m.If(self.step):
            m.d.sync += low.eq(tap.w8 & ~low)
        valid = Signal()
        s1 = _delayed(m, now, "s1_step")
        word = Signal(data.ArrayLayout(signed(ACT_BITS), self.config.lanes), reset_less=True)
        m.d.sync += valid.eq(self.step)
        with m.If(self.step):
            fill = Cat(tap.fill for _ in range(self.config.lanes))
            m.d.sync += word.as_value().eq(Mux(tap.outside, fill, self.taps.payload.word))
        self._multiply(m, valid & multiplies(s1.mode), s1, word)
        m.d.comb += [
            self.pick.eq(valid & ~multiplies(s1.mode)),
            self.picked_step.eq(s1),
            self.picked_word.eq(word),
        ]
        return m

    def _may_go(self, m: Module, now: data.View) -> Value:
        """Whether the tap may go now; its pixel's result then moves on without asking again."""
        spacing = self.config.lanes // self.config.depthwise_requant  # cycles a pixel stays in the serialiser
        cooling, in_flight = Signal(range(spacing + 1)), Signal(8)
        mac, add = multiplies(now.mode), now.mode == Mode.ADD
        with m.If(self.reserve & mac & ~add):
            m.d.sync += cooling.eq(spacing - 1)
        with m.Elif(cooling != 0):
            m.d.sync += cooling.eq(cooling - 1)
        m.d.sync += in_flight.eq(in_flight + (self.reserve & mac) - self.finished)
        may_finish = self.room & ((cooling == 0) | ~mac)
        return (may_finish | ~now.last) & (mac | (in_flight == 0)) & ((cooling == 0) | ~add)

    def _multiply(self, m: Module, valid: Value, s1: data.View, word: data.View) -> None:
        """Operands, the low digit's row, the product, the sum. The sum that a pixel's last tap completes goes to ``sums``
        and leaves 0 behind, so that the accumulator's adder has nothing to choose from."""
        step = s1
        for stage in ("operands", "low", "product"):
            later = Signal(name=f"{stage}_valid")
            m.d.sync += later.eq(valid)
            valid, step = later, _delayed(m, step, f"{stage}_step")
        m.d.comb += [
            self.sums_done.eq(valid & (step.last | self.sums_adds)),
            self.sums_adds.eq(step.mode == Mode.ADD),
            self.sums_last.eq(step.last),
            self.sums_half.eq(step.half),
            self.sums_final.eq(step.final),
        ]
        for lane in range(self.config.lanes):
            product, correct = self._product(m, lane, word[lane])
            kept = Signal(signed(SUM_BITS), name=f"kept{lane}")
            # a high half counts 16 times: ones below it carry its correction up to bit 4
            term = Mux(step.high, Cat(correct.replicate(4), product).as_signed(), product)
            total = plus(m, kept, term, correct, len(kept))
            with m.If(valid):
                m.d.sync += kept.eq(total)
            with m.If(self.sums_done):
                m.d.sync += [self.sums[lane].eq(total), kept.eq(0)]

    def _product(self, m: Module, lane: int, x: Value) -> tuple[Value, Value]:
        """``x`` times the weight, less the second result: written out, because a ``*`` this small would take a whole
        DSP, and the pointwise array needs those."""
        weight = Signal(OPERAND_BITS, name=f"weight{lane}", reset_less=True)  # the memory's output register
        low = Signal(signed(ACT_BITS + 1), name=f"low{lane}", reset_less=True)
        digit = Signal(DIGIT, name=f"digit{lane}", reset_less=True)
        factors = [x, *(Signal(signed(ACT_BITS), name=f"x{lane}_{i}", reset_less=True) for i in range(2))]
        lacks, correct = (Signal(name=f"{name}{lane}", reset_less=True) for name in ("lacks", "correct"))
        product = Signal(signed(ACT_BITS + OPERAND_BITS), name=f"product{lane}", reset_less=True)
        upper = add_digit(m, low[2:], digit, factors[2], len(product) - 2)
        m.d.sync += [weight.eq(self.weights[lane]), factors[1].eq(x), factors[2].eq(factors[1])]
        m.d.sync += [low.eq(digit_row(recode(m, weight[:3]), factors[1])), lacks.eq(weight[2])]
        m.d.sync += digit.eq(recode(m, weight[2:]))
        m.d.sync += [product.eq(Cat(low[:2], upper)), correct.eq(lacks)]
        return product, correct

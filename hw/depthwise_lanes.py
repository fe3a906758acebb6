# SPDX-License-Identifier: Apache-2.0
"""What a depthwise unit does with its taps: multiply and accumulate, or pick bytes."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import ACT_BITS, OPERAND_BITS
from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Mode
from hw.depthwise_params import WEIGHT_ROW
from hw.gather import fetched_tap
from hw.tap_walker import FLIP

_STEP = data.StructLayout(
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


#: An operand of -8..8 as two radix-4 digits in -2..2, w = low + 4 * high; a digit's size is 1, 2 or 0.
_DIGITS = data.StructLayout(
    {"low_one": 1, "low_two": 1, "low_negative": 1, "high_one": 1, "high_two": 1, "high_negative": 1}
)


def _recode(m: Module, digits: data.View, w: Value) -> None:
    m.d.sync += [
        digits.low_one.eq(w[0]),
        digits.low_two.eq(w[1] & ~w[0]),
        digits.low_negative.eq(w[1]),
        digits.high_one.eq(w[2] ^ w[1]),
        digits.high_two.eq(Mux(w[4], ~w[2] & ~w[1], w[3] | (w[2] & w[1]))),
        digits.high_negative.eq(w[4]),
    ]


def _row(x: Value, one: Value, two: Value) -> Value:
    """``x`` times a digit's size, ten bits."""
    return (Cat(x, x[-1].replicate(2)) & one.replicate(10)) | (Cat(0, x, x[-1]) & two.replicate(10))


def _add(a: Value, b: Value, carry: Value) -> Value:
    """``a + b + carry`` on one carry chain."""
    return (Cat(Const(1, 1), a).as_signed() + Cat(carry, b).as_signed())[1:].as_signed()


def _product(x: Value, w: data.View) -> Value:
    """``x`` times the digits, less 1 when the low digit is negative: the accumulator's carry adds it. Written out,
    because a ``*`` this small would take a whole DSP, and the pointwise array needs those."""
    low = _row(x, w.low_one, w.low_two) ^ w.low_negative.replicate(10)
    high = Cat(Const(0, 2), _row(x, w.high_one, w.high_two)) ^ w.high_negative.replicate(12)
    return _add(low.as_signed(), high.as_signed(), w.high_negative)


def _delayed(m: Module, step: data.View, name: str) -> data.View:
    later = Signal(_STEP, name=name, reset_less=True)
    m.d.sync += later.eq(step)
    return later


class DepthwiseLanes(wiring.Component):
    """Runs the taps of a pixel through the lanes: MAC into accumulators, MAX and WINDOW into a word of bytes.

    One tap a cycle, two cycles for a tap with 8-bit weights; sums are complete `SUM_LATENCY` cycles after the
    pixel's last tap, picked words `PICK_LATENCY`. The pipeline itself never stops: it takes the last tap of a pixel
    only when ``room`` says that its result has a place, the serialiser will be free, and no result can overtake one
    of the pixel before. An accumulator keeps only its low ``acc_bits`` bits.

    Parameters: ``config``.
    Members: ``taps``; ``weight_row`` and ``weights``, of `DepthwiseParams`; ``room``, and ``reserve`` for each
    place taken; ``sums_done`` with ``sums``, ``sums_half`` and ``sums_final``, for one cycle; ``picked_done`` with
    ``picked``; ``finished``: a MAC pixel's word has been written to the queue; ``step``: a tap is in the lanes.
    """

    PICK_LATENCY = 2  # operands, word
    SUM_LATENCY = 4  # operands and weight row, registered weights, products, sums

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "taps": In(stream.Signature(fetched_tap(config))),
                "weight_row": Out(WEIGHT_ROW),
                "weights": In(data.ArrayLayout(signed(OPERAND_BITS), config.lanes)),
                "room": In(1),
                "reserve": Out(1),
                "sums": Out(data.ArrayLayout(signed(config.acc_bits), config.lanes)),
                "sums_done": Out(1),
                "sums_half": Out(1),
                "sums_final": Out(1),
                "picked": Out(data.ArrayLayout(unsigned(8), config.lanes)),
                "picked_done": Out(1),
                "finished": In(1),
                "step": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        tap = self.taps.payload.tap
        now = Signal(_STEP)
        low = Signal()  # the second cycle of a tap with 8-bit weights
        same = ("mode", "outside", "half", "tap", "pixel", "group", "final")
        m.d.comb += [now[name].eq(tap[name]) for name in same]
        m.d.comb += [
            now.first.eq(tap.first & ~low),
            now.last.eq(tap.last & (low | ~tap.w8)),
            now.high.eq(tap.w8 & ~low),
            self.step.eq(self.taps.valid & (~now.last | self._may_finish(m, now))),
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
        self._multiply(m, valid & (s1.mode == Mode.MAC), s1, word)
        self._pick(m, valid & (s1.mode != Mode.MAC), s1, word)
        return m

    def _may_finish(self, m: Module, now: data.View) -> Value:
        """Whether the last tap of a pixel may go now; its result then moves on without asking again."""
        spacing = self.config.lanes // self.config.depthwise_requant  # cycles a pixel stays in the serialiser
        cooling, in_flight = Signal(range(spacing + 1)), Signal(8)
        mac = now.mode == Mode.MAC
        with m.If(self.reserve & mac):
            m.d.sync += cooling.eq(spacing - 1)
        with m.Elif(cooling != 0):
            m.d.sync += cooling.eq(cooling - 1)
        m.d.sync += in_flight.eq(in_flight + (self.reserve & mac) - self.finished)
        return self.room & Mux(mac, cooling == 0, in_flight == 0)

    def _multiply(self, m: Module, valid: Value, s1: data.View, word: data.View) -> None:
        lanes = self.config.lanes
        s2_valid, s3_valid = Signal(), Signal()
        s2, s2_word = _delayed(m, s1, "s2_step"), Signal.like(word)
        s2_digits = Signal(data.ArrayLayout(_DIGITS, lanes), reset_less=True)
        s3 = _delayed(m, s2, "s3_step")
        m.d.sync += [s2_valid.eq(valid), s3_valid.eq(s2_valid), self.sums_done.eq(s3_valid & s3.last)]
        with m.If(s3_valid):
            m.d.sync += [self.sums_half.eq(s3.half), self.sums_final.eq(s3.final)]
        for lane in range(lanes):
            product = Signal(signed(ACT_BITS + OPERAND_BITS), name=f"product{lane}", reset_less=True)
            correct = Signal(name=f"correct{lane}", reset_less=True)
            with m.If(valid):
                m.d.sync += s2_word[lane].eq(word[lane])
                _recode(m, s2_digits[lane], self.weights[lane])
            with m.If(s2_valid):
                m.d.sync += product.eq(_product(s2_word[lane], s2_digits[lane]))
                m.d.sync += correct.eq(s2_digits[lane].low_negative)
            with m.If(s3_valid):
                # a high half counts 16 times: ones below it carry its correction up to bit 4
                term = Mux(s3.high, Cat(correct.replicate(4), product).as_signed(), product)
                base = Mux(s3.first, 0, self.sums[lane])
                m.d.sync += self.sums[lane].eq(_add(self._wide(term), self._wide(base), correct))

    def _wide(self, value: Value) -> Value:
        """Sign-extended to the accumulator."""
        return Cat(value, value[-1].replicate(self.config.acc_bits - len(value)))

    def _codes(self, m: Module, s1: data.View, word: data.View) -> list[Signal]:
        """Three codes each of a group's three taps, or of a single tap, three times. A group begins with an odd pixel,
        so that each of its taps chooses among half of the word's pixels."""
        pairs, odd = self.config.lanes // 8, s1.pixel[0]
        here = s1.pixel[1:][: pairs.bit_length() - 1]
        after = (here + s1.group)[: len(here)]
        pixels = [word.as_value().word_select(i, 32)[:24] for i in range(2 * pairs)]
        low = Cat(pixels[0::2]).word_select(after, 24)
        high, next_high = (Cat(pixels[1::2]).word_select(at, 24) for at in (here, after))
        taps = Mux(odd, high, low), Mux(odd & ~s1.group, high, low), Mux(odd, next_high, low)
        codes = [Signal(24, name=f"codes{column}") for column in range(len(taps))]
        for code, raw in zip(codes, taps, strict=True):
            m.d.comb += code.eq(raw ^ (FLIP * 0x010101))
        return codes

    def _pick(self, m: Module, valid: Value, s1: data.View, word: data.View) -> None:
        """MAX: the larger code of each lane. WINDOW: three bytes of one of the word's pixels to lanes 3t..3t+2, or
        from all taps of a group's row, from the group's first one on; a second group of the row follows."""
        codes = self._codes(m, s1, word)
        here = Signal(self.config.lanes // 3 + 1)
        for t, bit in enumerate(here):
            row = (s1.tap[2:4] == t // 3) & (s1.tap[:2] <= t % 3)
            m.d.comb += bit.eq(Mux(s1.group, row, s1.tap[:4] == t))  # a window has at most ten taps
        m.d.sync += self.picked_done.eq(valid & s1.last)
        with m.If(valid):
            for lane in range(self.config.lanes):
                kept, new = self.picked[lane].as_signed(), word[lane]
                code = codes[lane // 3 % 3].word_select(lane % 3, 8)
                placed = Mux(here[lane // 3], code, Mux(s1.first, 0, kept))
                larger = Mux(s1.first | (new > kept), new, kept)
                m.d.sync += self.picked[lane].eq(Mux(s1.mode == Mode.MAX, larger, placed))

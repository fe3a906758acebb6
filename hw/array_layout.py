# SPDX-License-Identifier: Apache-2.0
"""The multiplier array as it is synthesised: DSP cascades that carry two outputs each, and Booth digits in LUTs."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed

from codesign.numeric import ACT_BITS, OPERAND_BITS
from hw.array_parts import GROUP, SEGMENT, delayed, sum_bits, tree
from hw.booth import PRODUCT_BIAS, add_product, extended
from hw.dsp48 import WEIGHT_BITS, Dsp48
from hw.multipliers import Multipliers

PACK_AT = 18  # bits that hold a sum of 32 products: where the upper weight of a packed pair starts
FAN_IN = 4  # segments summed per register
HALF = 32  # bits of the nibbles of a group


class LaidOutArray:
    """`hw.array.DotArray` with multipliers laid out.

    Lane ``4s + k`` is position k of segment s. Its activation comes k cycles late, so that a segment's sum grows by
    one product a cycle on its way along the cascade (or carry chains); so does the swap. Beats are `SEGMENT` cycles
    late everywhere, hence after the last swap of the tile before.

    The first ``quads`` segments, pair of outputs by pair, are DSPs: (upper << 18) + lower times one activation. The
    lower sum's sign is a borrow from the upper one, and given back at the end. The others add the two
    Booth digits' rows (`hw.booth`) to the sum.
    """

    def __init__(self, ports: Any, layout: Multipliers):
        self._ports, self._layout = ports, layout
        self._segments = ports.lanes // SEGMENT
        self._m = Module()

    def elaborate(self, platform: object) -> Module:
        m, ports = self._m, self._ports
        self._x = [
            delayed(m, ports.x.word_select(i, ACT_BITS).as_signed(), i % SEGMENT + 2, f"x{i}")
            for i in range(ports.lanes)
        ]
        self._swap = delayed(m, ports.swap, SEGMENT, "swap")
        self._swap_high = delayed(m, ports.swap_high, SEGMENT, "swap_high")
        self._swap_low = delayed(m, ports.swap & ~ports.swap_high, SEGMENT, "swap_low")
        self._beats()
        for pair in range(ports.outputs // 2):
            packed = max(0, min(self._segments, self._layout.quads - pair * self._segments))
            self._pair(pair, packed)
        return m

    def _beats(self) -> None:
        """The load bus one cycle before the registers take it, and the beat that held the output before."""
        m, ports = self._m, self._ports
        load, self._data, self._index, self._wide = (
            delayed(m, getattr(ports, name), SEGMENT - 1, name)[-1]
            for name in ("load", "load_data", "load_index", "load_wide")
        )
        self._load = load
        taps: list[Value] = [self._data]
        for beat in range(ports.lanes // GROUP):
            taps.append(Signal(64, name=f"before{beat + 1}", reset_less=True))
            with m.If(load):
                m.d.sync += taps[-1].eq(taps[-2])
        before = Mux(self._wide, taps[-1], taps[ports.lanes // (2 * GROUP)])
        pairs = [(before.word_select(n, 4), self._data.word_select(n, 4)) for n in range(16)]
        self._packed_low, self._packed_high = [], []
        for lane in range(2 * GROUP):
            wide, narrow = pairs[2 * (lane % GROUP)], pairs[lane]
            lower, upper = (Mux(self._wide, w, n).as_signed() for w, n in zip(wide, narrow, strict=True))
            self._packed_low.append(self._register(pack(lower, upper), WEIGHT_BITS, f"packed_low{lane}"))
        for lane in range(GROUP):
            low, high = pairs[2 * lane : 2 * lane + 2]
            operands = [up.as_signed() + lo[3] for lo, up in zip(low, high, strict=True)]
            self._packed_high.append(self._register(pack(*operands), WEIGHT_BITS, f"packed_high{lane}"))
        self._low_beat = [
            self._register(
                Mux(self._wide, Cat(self._data.word_select(2 * n, 4) for n in range(GROUP)), narrow),
                HALF,
                f"low_beat{i}",
            )
            for i, narrow in enumerate((self._data[:HALF], self._data[HALF:]))
        ]
        high = Cat(self._data.word_select(2 * n + 1, 4) for n in range(GROUP))
        self._high_beat = self._register(high, HALF, "high_beat")

    def _register(self, value: Value, width: int, name: str, signedness: bool = False) -> Signal:
        register = Signal(signed(width) if signedness else width, name=name, reset_less=True)
        self._m.d.sync += register.eq(value)
        return register

    def _mine(self, output: int, group: int) -> Signal:
        """Whether the beat in the beat registers fills lanes ``8 * group`` and on of ``output``."""
        groups = self._ports.lanes // GROUP
        wide, narrow = output * groups + group, (output * groups + group) // 2
        hit = self._load & (self._index == Mux(self._wide, wide, narrow))
        return self._register(hit, 1, f"load{output}_{group}")

    def _pair(self, pair: int, packed: int) -> None:
        """Outputs ``2 * pair`` and the next, of which the first ``packed`` segments share DSPs."""
        m, ports = self._m, self._ports
        outputs = (2 * pair, 2 * pair + 1)
        fresh = [self._mine(outputs[1], g) for g in range(ports.lanes // GROUP)]
        cascades = [self._cascade(pair, s, fresh[s * SEGMENT // GROUP]) for s in range(packed)]
        both = self._partials(cascades, PACK_AT + sum_bits(ports.lanes), f"packed{pair}")
        total = Signal(signed(PACK_AT + sum_bits(ports.lanes)), name=f"packed{pair}")
        if both:
            m.d.comb += total.eq(tree(both))
        shares = (total[:PACK_AT].as_signed(), total[PACK_AT:].as_signed() + total[PACK_AT - 1])
        for output, share in zip(outputs, shares, strict=True):
            terms = self._partials(self._digits(output, packed), sum_bits(ports.lanes), f"digits{output}")
            m.d.sync += ports.sums[output].eq(tree([*terms, *([share] if both else [])]))

    def _partials(self, sums: list[Value], width: int, name: str) -> list[Value]:
        groups = [sums[i : i + FAN_IN] for i in range(0, len(sums), FAN_IN)]
        return [self._register(tree(group), width, f"{name}_{i}", True) for i, group in enumerate(groups)]

    def _cascade(self, pair: int, segment: int, fresh: Signal) -> Value:
        """The packed sum of four lanes of two outputs."""
        m = self._m
        p_in: Value = Const(0, 1)
        for k in range(SEGMENT):
            lane = SEGMENT * segment + k
            m.submodules[f"dsp{pair}_{lane}"] = dsp = Dsp48(cascade=k > 0, primitive=self._layout.primitives)
            m.d.comb += [
                dsp.load.eq(fresh),
                dsp.weight.eq(self._packed_low[lane % (2 * GROUP)]),
                dsp.other.eq(self._packed_high[lane % GROUP]),
                dsp.swap.eq(self._swap[k]),
                dsp.swap_other.eq(self._swap_high[k]),
                dsp.x.eq(self._x[lane][k]),
                dsp.p_in.eq(p_in),
            ]
            p_in = dsp.p_out
        return dsp.p[: PACK_AT + sum_bits(SEGMENT)].as_signed()

    def _digits(self, output: int, first: int) -> list[Value]:
        """Sums of an output's segments from ``first`` on."""
        return [self._chain(output, s) for s in range(first, self._segments)]

    def _chain(self, output: int, segment: int) -> Value:
        """The sum of four lanes of one output, a product a cycle."""
        group, at = divmod(segment * SEGMENT, GROUP)
        load = self._mine(output, group)
        width = sum_bits(SEGMENT)
        total: Value = Const(-SEGMENT * PRODUCT_BIAS, width)
        for k in range(SEGMENT):
            lane = SEGMENT * segment + k
            low, high = (
                self._shadow(load, beat.word_select(at + k, 4), f"{name}{output}_{lane}")
                for beat, name in ((self._low_beat[group % 2], "low"), (self._high_beat, "high"))
            )
            weight = Signal(OPERAND_BITS, name=f"weight{output}_{lane}", reset_less=True)
            with self._m.If(self._swap[k + 1]):
                nibble = Mux(self._swap_high[k + 1], high, low)
                self._m.d.sync += weight.eq(Cat(low[3], nibble))
            with self._m.If(
                self._swap_low[k + 1]
            ):  # has no carry; a line of its own becomes the register's reset
                self._m.d.sync += weight[0].eq(0)
            total = add_product(self._m, total, weight, self._x[lane][k + 2])
            total = self._register(total, width, f"sum{output}_{lane}", True)
        return total

    def _shadow(self, load: Signal, nibble: Value, name: str) -> Signal:
        shadow = Signal(4, name=f"next_{name}", reset_less=True)
        with self._m.If(load):
            self._m.d.sync += shadow.eq(nibble)
        return shadow


def pack(lower: Value, upper: Value) -> Value:
    """``(upper << 18) + lower`` as bits."""
    sign = lower[-1]
    return Cat(extended(lower, PACK_AT), extended(upper - sign, WEIGHT_BITS - PACK_AT))

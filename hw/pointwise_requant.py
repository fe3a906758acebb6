# SPDX-License-Identifier: Apache-2.0
"""The requantisers of the pointwise engine with their double-buffered parameters."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import ACT_BITS, BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS
from hw.requantise import Requantiser


class RequantiserBank(wiring.Component):
    """``outputs`` requantisers side by side, `Requantiser.LATENCY` cycles, one vector a cycle, rigid.

    Parameters load beat by beat into a shadow. ``promote`` makes the shadow active for the ``acc`` of the
    next cycle and
    all later ones: it passes through the stages with that first value, so values of the instruction before,
    still in the pipeline, keep theirs. The shadow is ``free`` again when the last stage has been reached.

    Parameters
    ----------
    outputs, acc_bits: lanes, and the width of their accumulators.

    Members
    -------
    load, load_data, load_index: one beat; 2c holds multiplier and shift of channel c, 2c + 1 its bias.
    load_done, zero, lo, hi: with the last beat come the values all channels share.
    free, promote: see above.
    acc, codes: the lanes.
    """

    LATENCY = Requantiser.LATENCY

    def __init__(self, outputs: int, acc_bits: int):
        self._outputs, self._acc_bits = outputs, acc_bits
        super().__init__(
            {
                "load": In(1),
                "load_data": In(64),
                "load_index": In(range(2 * outputs)),
                "load_done": In(1),
                "zero": In(signed(ACT_BITS)),
                "lo": In(signed(ACT_BITS)),
                "hi": In(signed(ACT_BITS)),
                "free": Out(1),
                "promote": In(1),
                "acc": In(data.ArrayLayout(signed(acc_bits), outputs)),
                "codes": Out(ACT_BITS * outputs),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        promote = [self.promote]  # as each later stage sees it
        for stage in range(Requantiser.OFFSET_AT):
            promote.append(Signal(name=f"promote{stage + 1}"))
            m.d.sync += promote[-1].eq(promote[-2])
        held = Signal()
        m.d.comb += self.free.eq(~held)
        with m.If(promote[-1]):
            m.d.sync += held.eq(0)
        with m.If(self.load_done):
            m.d.sync += held.eq(1)

        shared = {
            name: self._buffered(m, name, getattr(self, name), self.load_done, promote[Requantiser.OFFSET_AT])
            for name in ("zero", "lo", "hi")
        }
        codes = []
        for c in range(self._outputs):
            lane = Requantiser(self._acc_bits, skewed=True)
            m.submodules[f"lane{c}"] = lane
            scale = self.load & (self.load_index == 2 * c)
            offset = self.load & (self.load_index == 2 * c + 1)
            multiplier, shift = (
                self.load_data[:MULTIPLIER_BITS],
                self.load_data[MULTIPLIER_BITS:][:SHIFT_BITS],
            )
            bias = self.load_data[:BIAS_BITS]
            m.d.comb += [
                lane.acc.eq(self.acc[c]),
                lane.multiplier.eq(self._buffered(m, f"multiplier{c}", multiplier, scale, promote[0])),
                lane.bias.eq(self._buffered(m, f"bias{c}", bias, offset, promote[Requantiser.BIAS_AT])),
                lane.shift.eq(self._buffered(m, f"shift{c}", shift, scale, promote[Requantiser.SHIFT_AT])),
                lane.zero.eq(shared["zero"]),
                lane.lo.eq(shared["lo"]),
                lane.hi.eq(shared["hi"]),
            ]
            codes.append(lane.code)
        m.d.comb += self.codes.eq(Cat(codes))
        return m

    @staticmethod
    def _buffered(m: Module, name: str, value: Signal, load: Signal, promote: Signal) -> Signal:
        """Shadow and active register of one value."""
        shadow = Signal(len(value), name=f"next_{name}", reset_less=True)
        active = Signal(len(value), name=name, reset_less=True)
        with m.If(load):
            m.d.sync += shadow.eq(value)
        with m.If(promote):
            m.d.sync += active.eq(shadow)
        return active

# SPDX-License-Identifier: Apache-2.0
"""A DSP48E1 as the multiplier array uses it, and the same in plain registers."""

from __future__ import annotations

from amaranth import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

A_BITS, B_BITS, D_BITS, P_BITS = 30, 18, 25, 48
WEIGHT_BITS, FACTOR_BITS = D_BITS, 8
_FIXED = {
    "AREG": 2, "ACASCREG": 2, "BREG": 1, "BCASCREG": 1, "CREG": 1, "DREG": 1, "ADREG": 0, "MREG": 1, "PREG": 1,
    "INMODEREG": 1, "OPMODEREG": 0, "ALUMODEREG": 0, "CARRYINREG": 0, "CARRYINSELREG": 0,
    "USE_DPORT": "TRUE", "USE_MULT": "MULTIPLY", "USE_SIMD": "ONE48",
}  # fmt: skip
_MULTIPLY, _MULTIPLY_ADD = 0b0000101, 0b0010101  # OPMODE: M, and PCIN + M
_UNUSED = ("ACIN", "BCIN", "C", "ALUMODE", "CARRYIN", "CARRYINSEL", "CARRYCASCIN", "MULTSIGNIN")
_WIDTHS = {"ACIN": 30, "BCIN": 18, "C": 48, "ALUMODE": 4, "CARRYINSEL": 3}
_RESETS = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
_NEVER, _ALWAYS = ("AD", "ALUMODE", "B1", "C", "CARRYIN", "CTRL"), ("B2", "M", "P")


class Dsp48(wiring.Component):
    """``p = p_in + weight * x`` with double-buffered weights, three registers from ``x`` to ``p``.

    Register A1 holds the next weight, A2 the active one, D another that can be active instead of A2: so a weight of
    two parts needs no fabric. ``load`` writes ``weight`` to A1 and ``other`` to D; ``swap`` makes A1, or with
    ``swap_other`` D, the factor of the ``x`` of the same cycle and all later ones. A ``load`` in the cycle of a
    ``swap`` comes after it. Left out: a second register behind D, so none may be loaded while D is the factor.

    Parameters
    ----------
    cascade: ``p_in`` is another one's ``p_out``; otherwise it is not looked at and counts as 0.
    primitive: a DSP48E1 instance; otherwise registers that do the same (a test compares them).

    Members
    -------
    load, weight, other, swap, swap_other, x: see above.
    p_in, p_out: cascade wires of the column.
    p: the same value for the fabric.
    """

    LATENCY = 3

    def __init__(self, *, cascade: bool, primitive: bool):
        self._cascade, self._primitive = cascade, primitive
        super().__init__(
            {
                "load": In(1),
                "weight": In(signed(WEIGHT_BITS)),
                "other": In(signed(WEIGHT_BITS)),
                "swap": In(1),
                "swap_other": In(1),
                "x": In(signed(FACTOR_BITS)),
                "p_in": In(signed(P_BITS)),
                "p_out": Out(signed(P_BITS)),
                "p": Out(signed(P_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._primitive:
            self._instance(m)
        else:
            self._twin(m)
        return m

    def _twin(self, m: Module) -> None:
        a1, a2, d = (Signal(signed(WEIGHT_BITS), name=name, reset_less=True) for name in ("a1", "a2", "d"))
        other, b = Signal(reset_less=True), Signal.like(self.x, name="b", reset_less=True)
        product = Signal(signed(WEIGHT_BITS + FACTOR_BITS), reset_less=True)
        p = Signal.like(self.p, name="p_register", reset_less=True)
        with m.If(self.load):
            m.d.sync += [a1.eq(self.weight), d.eq(self.other)]
        with m.If(self.swap):
            m.d.sync += [a2.eq(a1), other.eq(self.swap_other)]
        m.d.sync += [b.eq(self.x), product.eq(Mux(other, d, a2) * b)]
        m.d.sync += p.eq(product + (self.p_in if self._cascade else 0))
        m.d.comb += [self.p.eq(p), self.p_out.eq(p)]

    def _instance(self, m: Module) -> None:
        a, b, p = Signal(signed(A_BITS)), Signal(signed(B_BITS)), Signal(P_BITS)
        p_out = Signal(P_BITS)
        m.d.comb += [a.eq(self.weight), b.eq(self.x), self.p.eq(p), self.p_out.eq(p_out)]
        ports = {
            "i_CLK": ClockSignal(),
            "i_A": a,
            "i_B": b,
            "i_D": self.other,
            "i_PCIN": self.p_in,
            "i_CEA1": self.load,
            "i_CED": self.load,
            "i_CEA2": self.swap,
            "i_CEINMODE": self.swap,
            "i_INMODE": Cat(Const(0, 1), self.swap_other, self.swap_other, Const(0, 2)),
            "i_OPMODE": Const(_MULTIPLY_ADD if self._cascade else _MULTIPLY, 7),
            "o_PCOUT": p_out,
            "o_P": p,
            **{f"i_{name}": Const(0, _WIDTHS.get(name, 1)) for name in _UNUSED},
            **{f"i_RST{name}": Const(0, 1) for name in _RESETS},
            **{f"i_CE{name}": Const(0, 1) for name in _NEVER},
            **{f"i_CE{name}": Const(1, 1) for name in _ALWAYS},
        }
        m.submodules.slice = Instance("DSP48E1", **{f"p_{k}": v for k, v in _FIXED.items()}, **ports)

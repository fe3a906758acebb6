# SPDX-License-Identifier: Apache-2.0
"""Cuts rows of beats into AXI bursts."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.axi import BEAT_BYTES, MAX_BEATS, Bursts

BEAT_BITS = BEAT_BYTES.bit_length() - 1

#: ``rows`` rows of ``beats`` beats each, ``stride`` bytes apart; neither may be 0.
Rows = data.StructLayout({"address": 32, "stride": 32, "rows": 16, "beats": 20})


class BurstSplitter(wiring.Component):
    """Bursts of at most 16 beats, none across a 128-byte boundary, that cover a command's rows in order. Addresses
    are rounded down to a beat, so that no program can break AXI's rules.

    Latency one cycle; one burst a cycle, no bubble between rows or commands. It does not join contiguous
    rows.

    Members: ``command`` (rows to cover), ``bursts`` (``last`` marks the last one of a command).
    """

    command: In(stream.Signature(Rows))
    bursts: Out(Bursts)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        active = Signal()
        now = Signal(Rows, reset_less=True)  # address, rows and beats still to do
        row_address = Signal(32, reset_less=True)
        row_beats = Signal(20, reset_less=True)
        room = Signal(range(MAX_BEATS + 1))
        length = Signal(range(MAX_BEATS + 1))
        row_ends, ends = Signal(), Signal()
        burst = self.bursts.payload
        m.d.comb += [
            room.eq(MAX_BEATS - now.address[3:7]),
            length.eq(Mux(now.beats > room, room, now.beats)),
            row_ends.eq(now.beats <= room),
            ends.eq(row_ends & (now.rows == 1)),
            self.bursts.valid.eq(active),
            burst.address.eq(Cat(Const(0, BEAT_BITS), now.address[BEAT_BITS:])),
            burst.len.eq(length - 1),
            burst.last.eq(ends),
            self.command.ready.eq(~active | (self.bursts.ready & ends)),
        ]
        with m.If(self.bursts.valid & self.bursts.ready):
            m.d.sync += [now.address.eq(now.address + length * BEAT_BYTES), now.beats.eq(now.beats - length)]
            with m.If(row_ends):
                following = row_address + now.stride
                m.d.sync += [row_address.eq(following), now.address.eq(following)]
                m.d.sync += [now.beats.eq(row_beats), now.rows.eq(now.rows - 1), active.eq(~ends)]
        with m.If(self.command.valid & self.command.ready):
            command = self.command.payload
            m.d.sync += [
                active.eq(1),
                now.eq(command),
                row_address.eq(command.address),
                row_beats.eq(command.beats),
            ]
        return m

# SPDX-License-Identifier: Apache-2.0
"""The issue side of the pointwise engine: which pixel of which pass comes next, and at which address it
lies."""

from __future__ import annotations

from amaranth import Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.registers import Counter
from hw.layouts import ADDRESS_BITS, instruction

INSTRUCTION = instruction(isa.Opcode.POINTWISE)
SAFE_BITS = 8  # a scratchpad has at least 256 words
COORDINATE = signed(16)  # -4096 + 4095 * 4 + 7 is the farthest


def pixel_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What travels with every pixel to the array, in request order."""
    return data.StructLayout(
        {
            "pad": 1,  # outside the image: the code z_in instead of the word read
            "z_in": signed(8),
            "start": 1,  # first pixel of a pass: swap weights
            "high": 1,  # pass with the high halves of 8-bit weights
            "release": 1,  # with start: this pass is the last that needs the shadow tile
            "promote": 1,  # first pixel of an instruction with `last`: its requantisation becomes active
            "overwrite": 1,
            "result": 1,  # has an entry in the list of results
            "acc": range(config.acc_depth),  # accumulator address
        }
    )


def result_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Where one result goes. An instruction without `last` gives a single one that is not written, for its
    end."""
    return data.StructLayout(
        {"addr": ADDRESS_BITS, "mask": config.array_out, "group": 3, "write": 1, "end": 1, "index": 16}
    )


class PointwiseIssue(wiring.Component):
    """Walks an instruction pixel by pixel: for every pixel a read address, a `pixel_layout`, and perhaps a
    result entry.

    One pixel a cycle. The next instruction waits in a register of its own, its first address already
    computed, so that no cycle is lost between passes or instructions. A pixel goes out when its address, its
    pixel and its result have room and, at the start of a pass, the weight tile is there. Padded taps read
    some word in range, so that words and pixels stay one to one.

    A pixel that adds to an accumulator of one of the ``hazard`` pixels before it would miss their sum, still on its
    way to memory; it waits until every pixel has reached the array. Only passes of at most two pixels, and
    instructions that begin where another one has just ended, ever do.

    Left out: tokens (the gate stands in front) and any check of the instruction's fields.

    Parameters
    ----------
    config: shape.
    hazard: pixels whose sums are still on their way when the next one reads its accumulator.

    Members
    -------
    instruction, known: the accepted instructions; ``known`` says that the weights side has this one or takes it now.
    request: read addresses.
    pixel, pixel_valid, pixel_room, pixel_empty: the list of pixels, pushed with ``pixel_valid``.
    result, result_valid, result_room: the list of results, likewise.
    tile_ready, claim: the tile of the next pass is in the shadow; ``claim`` takes it.
    activity: `Counter`, IDLE when there is nothing to issue.
    """

    def __init__(self, config: AcceleratorConfig, hazard: int):
        self._hazard = hazard
        super().__init__(
            {
                "instruction": In(stream.Signature(unsigned(isa.INSTRUCTION_BITS))),
                "known": In(1),
                "request": Out(stream.Signature(unsigned(ADDRESS_BITS))),
                "pixel": Out(pixel_layout(config)),
                "pixel_valid": Out(1),
                "pixel_room": In(1),
                "pixel_empty": In(1),
                "result": Out(result_layout(config)),
                "result_valid": Out(1),
                "result_room": In(1),
                "tile_ready": In(1),
                "claim": Out(1),
                "activity": Out(range(len(Counter))),
            }
        )
        self._now, self._waiting = Signal(INSTRUCTION, reset_less=True), Signal(INSTRUCTION, reset_less=True)
        self._now_valid, self._take, self._fire = Signal(), Signal(), Signal()
        self._start = Signal()  # the pixel is the first of its pass
        self._first_pass = Signal()
        self._high = Signal()
        self._x, self._x_tap, self._y, self._y_tap = (
            Signal(COORDINATE, name=name, reset_less=True) for name in ("x", "x_tap", "y", "y_tap")
        )
        # addresses of input (y, 0): of the present row, of the tap's first row, of the plane's
        self._row_at, self._tap_at, self._plane_at = (
            Signal(ADDRESS_BITS, name=name, reset_less=True) for name in ("row_at", "tap_at", "plane_at")
        )
        self._out_at, self._out_row_at = (
            Signal(ADDRESS_BITS, name=name, reset_less=True) for name in ("out_at", "out_row_at")
        )
        self._col, self._row, self._kx, self._ky, self._plane = (
            Signal(12, name=name, reset_less=True) for name in ("col", "row", "kx", "ky", "plane")
        )
        self._acc = Signal(range(config.acc_depth), reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        start = self._start
        last_pixel, last_tap = self._walk(m)
        final = last_tap & last_pixel
        present = self._next_instruction(m, final)
        self._describe(m, last_tap, final)

        tile_missing = start & ~self.tile_ready
        hazard = self._recent(m) & ~self.pixel.overwrite & ~self.pixel_empty
        room = self.request.ready & self.pixel_room & (self.result_room | ~self.pixel.result)
        m.d.comb += [
            self._fire.eq(self._now_valid & room & ~tile_missing & ~hazard),
            self.request.valid.eq(self._fire),
            self.pixel_valid.eq(self._fire),
            self.result_valid.eq(self._fire & self.pixel.result),
            self.claim.eq(self._fire & start & self.pixel.release),
        ]
        with m.If(self._fire):
            m.d.comb += self.activity.eq(Counter.BUSY)
        with m.Elif(self._now_valid & tile_missing | ~self._now_valid & present):
            m.d.comb += self.activity.eq(Counter.PARAM)
        with m.Elif(self._now_valid & hazard):
            m.d.comb += self.activity.eq(Counter.DRAIN)
        with m.Elif(self._now_valid):
            m.d.comb += self.activity.eq(Counter.MEMORY)
        with m.Else():
            m.d.comb += self.activity.eq(Counter.IDLE)
        return m

    def _next_instruction(self, m: Module, final: Value) -> Signal:
        """Accept into the waiting register, move on into the present one; returns whether one waits."""
        now, waiting, take = self._now, self._waiting, self._take
        present, computed = Signal(), Signal()
        row = Signal(ADDRESS_BITS, reset_less=True)  # of y0 in its plane, one multiplication an instruction
        base = Signal(ADDRESS_BITS)
        finish = self._fire & final
        m.d.comb += [
            self.instruction.ready.eq(~present & self.known),
            take.eq(computed & (~self._now_valid | finish)),
            base.eq(waiting.src + row),
        ]
        m.d.sync += [computed.eq(present & ~take), row.eq((waiting.y0 >> waiting.up) * waiting.pitch)]
        with m.If(self.instruction.valid & self.instruction.ready):
            m.d.sync += [waiting.eq(self.instruction.payload), present.eq(1)]
        with m.If(take):
            m.d.sync += [now.eq(waiting), self._now_valid.eq(1), present.eq(0)]
            m.d.sync += [at.eq(base) for at in (self._row_at, self._tap_at, self._plane_at)]
            m.d.sync += [at.eq(waiting.dst) for at in (self._out_at, self._out_row_at)]
            m.d.sync += [at.eq(waiting.x0) for at in (self._x, self._x_tap)]
            m.d.sync += [at.eq(waiting.y0) for at in (self._y, self._y_tap)]
            m.d.sync += [n.eq(0) for n in (self._col, self._row, self._kx, self._ky, self._plane)]
            m.d.sync += self._acc.eq(waiting.acc_base)
            m.d.sync += [self._high.eq(waiting.w8), self._start.eq(1), self._first_pass.eq(1)]
        with m.Elif(finish):
            m.d.sync += self._now_valid.eq(0)
        return present

    def _walk(self, m: Module) -> tuple[Value, Value]:
        """Step through columns, rows and halves; returns last pixel of a pass, last pass of the
        instruction."""
        now = self._now
        last_col, last_row = self._col == now.cols - 1, self._row == now.rows - 1
        taps_end = self._taps_end()
        last_pixel = last_col & last_row
        # every `take` comes with or after the last step, and its assignments stand later: they win
        with m.If(self._fire):
            m.d.sync += [
                self._start.eq(last_pixel),
                self._col.eq(self._col + 1),
                self._x.eq(self._x + now.stride),
                self._out_at.eq(self._out_at + 1),
                self._acc.eq(self._acc + 1),
            ]
            with m.If(last_col):
                out_row_at = self._out_row_at + now.dst_pitch
                m.d.sync += [self._col.eq(0), self._row.eq(self._row + 1)]
                m.d.sync += [self._x.eq(self._x_tap), self._y.eq(self._y + now.stride)]
                m.d.sync += [self._row_at.eq(self._row_at + self._row_step())]
                m.d.sync += [self._out_at.eq(out_row_at), self._out_row_at.eq(out_row_at)]
            with m.If(last_pixel):
                m.d.sync += [self._row.eq(0), self._first_pass.eq(0), self._acc.eq(now.acc_base)]
                m.d.sync += [self._y.eq(self._y_tap), self._row_at.eq(self._tap_at)]
                m.d.sync += [self._out_at.eq(now.dst), self._out_row_at.eq(now.dst)]
                m.d.sync += self._high.eq(now.w8 & ~self._high)
                with m.If(~self._high):
                    self._next_tap(m)
        last_pass = ~self._high
        for end in taps_end:
            last_pass &= end
        return last_pixel, last_pass

    def _taps_end(self) -> tuple[Value, Value, Value]:
        now = self._now
        return self._kx == now.kw - 1, self._ky == now.kh - 1, self._plane == now.planes - 1

    def _next_tap(self, m: Module) -> None:
        """kx, then ky, then the plane."""
        now = self._now
        last_kx, last_ky, _ = self._taps_end()
        with m.If(~last_kx):
            m.d.sync += [self._kx.eq(self._kx + 1)]
            m.d.sync += [at.eq(self._x_tap + 1) for at in (self._x, self._x_tap)]
        with m.Else():
            m.d.sync += self._kx.eq(0)
            m.d.sync += [at.eq(now.x0) for at in (self._x, self._x_tap)]
            with m.If(~last_ky):
                m.d.sync += self._ky.eq(self._ky + 1)
                m.d.sync += [at.eq(self._y_tap + 1) for at in (self._y, self._y_tap)]
                with m.If(~now.up | self._y_tap[0]):  # otherwise both rows lie in one stored row
                    m.d.sync += [at.eq(self._tap_at + now.pitch) for at in (self._row_at, self._tap_at)]
            with m.Else():
                plane_at = self._plane_at + now.plane_stride
                m.d.sync += [self._ky.eq(0), self._plane.eq(self._plane + 1)]
                m.d.sync += [at.eq(now.y0) for at in (self._y, self._y_tap)]
                m.d.sync += [at.eq(plane_at) for at in (self._row_at, self._tap_at, self._plane_at)]

    def _row_step(self) -> Value:
        """Words from this input row to the next, ``stride`` logical rows on."""
        now = self._now
        full = Mux(now.stride[2], now.pitch << 2, Mux(now.stride[1], now.pitch << 1, now.pitch))
        return Mux(now.up, Mux(now.stride[0], Mux(self._y[0], now.pitch, 0), full >> 1), full)

    def _describe(self, m: Module, last_pass: Value, final: Value) -> None:
        """Address, pixel and result entry of the present step."""
        now, pixel, result = self._now, self.pixel, self.result
        outside = (self._y < 0) | (self._y >= now.in_h) | (self._x < 0) | (self._x >= now.in_w)
        address = Signal(ADDRESS_BITS)
        m.d.comb += [
            address.eq(self._row_at + (self._x >> now.up)),
            # any word in range serves a padded tap; the low bits spread them over the banks
            self.request.payload.eq(Mux(outside, address[:SAFE_BITS], address)),
            pixel.pad.eq(outside),
            pixel.z_in.eq(now.z_in),
            pixel.start.eq(self._start),
            pixel.high.eq(self._high),
            pixel.release.eq(~self._high),
            pixel.promote.eq(self._start & self._first_pass & now.last),
            pixel.overwrite.eq(self._first_pass & now.first),
            pixel.result.eq(last_pass & (now.last | final)),
            pixel.acc.eq(self._acc),
            result.addr.eq(self._out_at),
            result.mask.eq(now.dst_mask),
            result.group.eq(now.dst_group),
            result.write.eq(now.last),
            result.end.eq(final),
            result.index.eq(now.index),
        ]

    def _recent(self, m: Module) -> Value:
        """Whether one of the last ``hazard`` pixels had the present one's accumulator."""
        same, before = Const(0), self._acc
        for back in range(self._hazard):
            earlier = Signal.like(self._acc, name=f"acc_{back + 1}_before")
            with m.If(self._fire):
                m.d.sync += earlier.eq(before)
            same, before = same | (earlier == self._acc), earlier
        return same

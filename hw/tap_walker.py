# SPDX-License-Identifier: Apache-2.0
"""Where the taps of a depthwise instruction lie."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import CODE_MIN
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from hw.depthwise_front import JOB, multiplies
from hw.layouts import ADDRESS_BITS

FLIP = 0x80  # between a pixel's byte and its code
COORDINATE = signed(17)  # 4095 + 4095 strides of up to 7, and an offset

#: A tap as the lanes see it.
TAP = data.StructLayout(
    {
        "mode": isa.Mode,
        "outside": 1,  # not in the image: every lane reads `fill`
        "fill": 8,  # MAC, MAX: a code; WINDOW: a pixel's byte
        "first": 1,  # of its pixel
        "last": 1,
        "final": 1,  # last of its instruction
        "tap": 6,
        "w8": 1,
        "half": 1,  # which buffer holds the parameters
        "pixel": 3,  # WINDOW: which 4 bytes of the word; of a group, those of its row's first tap
        "group": 1,  # taps of a row of three that lie in one word: from column ``tap[:2]`` on in row ``tap[2:4]``
    }
)
#: Taps of a row whose words are remembered under different places.
PLACE = data.StructLayout({"row": 2, "x": 2})
#: ``again``: the last tap of this ``place`` had the same word; it need not be read.
ADDRESSED_TAP = data.StructLayout({"addr": ADDRESS_BITS, "tap": TAP, "place": PLACE, "again": 1})

#: A tap on its way through the address pipeline.
_ORDER = data.StructLayout({"first": 1, "last": 1, "final": 1, "tap": 6, "row": 2, "again": 1})


def times_small(factor: Value, value: Value) -> Value:
    """``factor * value`` for a factor in -4..3, as additions: too small for a DSP."""
    return Mux(factor[0], value, 0) + Mux(factor[1], value << 1, 0) - Mux(factor[2], value << 2, 0)


class TapWalker(wiring.Component):
    """Addresses of an instruction's taps, pixels in raster order, taps in theirs, inside the image or not.

    A pixel of ADD is a tap of either addend for each row of lanes that is requantised together; only the first two are
    not marked ``again``. Their weights, and those of a kernel with ``same``, are tap 0's.

    One tap a cycle, four cycles of latency (displacement, coordinate, row, address), no bubble between pixels, three
    between instructions. A deformed pixel waits for its offset word. A MAC instruction starts when its parameters
    are loaded.

    Taps of a plain kernel of at most 3 x 3 that the pixel before had in its window too are marked ``again``, and so are
    those of a square of distance 0 behind its first. The taps
    of a row of a WINDOW of three columns come as one group, or two when they lie in two words, where that is cheap:
    every pixel's window begins with an odd column (``x0`` odd, ``stride`` even), and the image's width is a multiple
    of a word's pixels, so that a group is inside or outside as a whole.

    Parameters: ``config``.
    Members: ``jobs``; ``offsets``, one word for every pixel of a deformed job; ``taps``; ``loaded``: the next MAC
    job's parameters are in, ``started`` pulses when it has begun; ``starved``: it waits for them; ``busy``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "jobs": In(stream.Signature(JOB)),
                "offsets": In(stream.Signature(unsigned(8 * config.lanes))),
                "taps": Out(stream.Signature(ADDRESSED_TAP)),
                "loaded": In(1),
                "started": Out(1),
                "starved": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._pixel_bits = (self.config.lanes // 4).bit_length() - 1
        self._job = Signal(JOB, reset_less=True)
        self._active = Signal()
        self._half = Signal()
        self._ring = Signal(12, reset_less=True)  # the bits of a stored row's number that count
        self._valid = Signal(3)  # of the stages behind the walk, before the output register
        self._move = Signal()  # the pipeline advances
        self._order = Signal(_ORDER)
        self._y, self._x = Signal(COORDINATE, reset_less=True), Signal(COORDINATE, reset_less=True)
        self._ky, self._kx = Signal(5, reset_less=True), Signal(5, reset_less=True)
        self._add = Signal()
        step = Signal()
        deformed = self._job.deform != isa.Deform.NONE
        self._group, self._small = Signal(), Signal()  # taps come in groups; words are read once
        m.d.comb += [
            self._move.eq(~self.taps.valid | self.taps.ready),
            step.eq(self._active & self._move & (self.offsets.valid | ~deformed)),
            self.offsets.ready.eq(step & deformed & self._order.last),
            self.busy.eq(self._active | self._valid.any() | self.taps.valid),
        ]
        self._walk(m, step)
        self._start(m)
        with m.If(self._move):
            self._pipeline(m, step)
        return m

    def _start(self, m: Module) -> None:
        """Take a job once the stages that look at the job's fields have done with the one before."""
        job = self.jobs.payload
        mac = multiplies(job.mode)
        free = ~self._active & ~self._valid[:2].any() & self._move
        m.d.comb += [
            self.jobs.ready.eq(free & (self.loaded | ~mac)),
            self.started.eq(self.jobs.valid & self.jobs.ready & mac),
            self.starved.eq(self.jobs.valid & free & mac & ~self.loaded),
        ]
        plain = job.deform == isa.Deform.NONE
        small = plain & ~(job.kh | job.kw)[2:].any()
        cheap = job.x0[0] & ~job.stride[0] & ~job.up & ~job.in_w[: self._pixel_bits].any()
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [
                self._small.eq(small),
                self._group.eq(small & (job.mode == isa.Mode.WINDOW) & (job.kw == 3) & cheap),
                self._job.eq(job),
                self._add.eq(job.mode == isa.Mode.ADD),
                self._active.eq(1),
                self._y.eq(job.y0),
                self._x.eq(job.x0),
                self._ky.eq(0),
                self._kx.eq(0),
                self._half.eq(self._half ^ mac),
                *(bit.eq((job.ring == 0) | (job.ring > i)) for i, bit in enumerate(self._ring)),
            ]

    def _walk(self, m: Module, step: Signal) -> None:
        """The position: ``job.rows`` and ``job.cols`` count down, ``job.cols`` of a row in a register of its own."""
        job = self._job
        cols_left, tap = Signal(12, reset_less=True), Signal(6)
        pixel = self._x[: self._pixel_bits]  # in its word, of the row's first tap
        whole_row = self._group & ((self._kx != 0) | ~pixel.all())
        last_kx, last_col = (self._kx == job.kw - 1) | whole_row, cols_left == 1
        addends = 2 * self.config.lanes // self.config.depthwise_requant
        later_col = Signal(reset_less=True)
        m.d.comb += [
            self._order.tap.eq(Mux(self._group, Cat(self._kx[:2], self._ky[:2]), tap)),
            self._order.row.eq(Mux(self._add, tap[0], self._ky)),
            self._order.again.eq(
                Mux(self._add, tap[1:].any(), self._small & later_col & (self._kx + job.stride < job.kw))
            ),
            self._order.first.eq((self._kx == 0) & (self._ky == 0)),
            self._order.last.eq(Mux(self._add, tap == addends - 1, last_kx & (self._ky == job.kh - 1))),
            self._order.final.eq(self._order.last & last_col & (job.rows == 1)),
        ]
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [cols_left.eq(self.jobs.payload.cols), later_col.eq(0), tap.eq(0)]
        with m.If(step):
            m.d.sync += [self._kx.eq(Mux(last_kx, 0, self._kx + 1)), tap.eq(tap + 1)]
            with m.If(last_kx & ~self._add):
                m.d.sync += self._ky.eq(self._ky + 1)
            with m.If(self._order.last):
                m.d.sync += [self._ky.eq(0), tap.eq(0), later_col.eq(~last_col)]
                m.d.sync += [self._x.eq(self._x + job.stride), cols_left.eq(cols_left - 1)]
                with m.If(last_col):
                    m.d.sync += [self._x.eq(job.x0), self._y.eq(self._y + job.stride)]
                    m.d.sync += [cols_left.eq(job.cols), job.rows.eq(job.rows - 1)]
                with m.If(self._order.final):
                    m.d.sync += self._active.eq(0)

    def _displacement(self, k: Value, size: Value, distance: Value, pair: Value) -> Value:
        """Of the tap from the pixel's base, along one axis."""
        centre = size >> 1
        square = centre + times_small((k - centre)[:3], distance)
        plain = k + Mux(self._job.deform == isa.Deform.PAIRS, pair, 0)
        return Mux(self._job.deform == isa.Deform.SQUARE, square, plain)

    def _pipeline(self, m: Module, step: Signal) -> None:
        job, word = self._job, self.offsets.payload
        m.d.sync += self._valid.eq((self._valid << 1) | step)
        pair = word.word_select(self._order.tap[: (self.config.lanes // 2 - 1).bit_length()], 16)
        distance = word[:8].as_signed()

        s1 = {name: Signal(COORDINATE, name=f"s1_{name}", reset_less=True) for name in ("y", "x", "dy", "dx")}
        s1_order, still = Signal(_ORDER, reset_less=True), Signal()  # distance 0: all taps are the centre
        m.d.comb += still.eq((job.deform == isa.Deform.SQUARE) & (distance == 0))
        m.d.sync += [s1["y"].eq(self._y), s1["x"].eq(self._x), s1_order.eq(self._order)]
        with m.If(still):
            m.d.sync += [s1_order.row.eq(0), s1_order.again.eq(~self._order.first)]
        m.d.sync += s1["dy"].eq(self._displacement(self._ky, job.kh, distance, pair[:8].as_signed()))
        m.d.sync += s1["dx"].eq(self._displacement(self._kx, job.kw, distance, pair[8:].as_signed()))

        s2_y, s2_x = (Signal(COORDINATE, name=f"s2_{axis}", reset_less=True) for axis in "yx")
        s2_order = Signal(_ORDER, reset_less=True)
        m.d.sync += [s2_y.eq(s1["y"] + s1["dy"]), s2_x.eq(s1["x"] + s1["dx"]), s2_order.eq(s1_order)]

        s3_row, s3_x = Signal(ADDRESS_BITS, reset_less=True), Signal(12, reset_less=True)
        s3_outside, s3_low = Signal(reset_less=True), Signal(2, reset_less=True)
        s3_order = Signal(_ORDER, reset_less=True)
        other = self._add & s2_order.row[0]  # the second addend
        up, pitch = Mux(other, job.off_up, job.up), Mux(other, job.off_pitch, job.pitch)
        m.d.sync += [
            s3_row.eq((Mux(up, s2_y[1:13], s2_y[:12]) & self._ring) * pitch),
            s3_x.eq(Mux(up, s2_x[1:13], s2_x[:12])),
            s3_outside.eq((s2_y < 0) | (s2_y >= job.in_h) | (s2_x < 0) | (s2_x >= job.in_w)),
            s3_low.eq(s2_x),
            s3_order.eq(s2_order),
        ]
        self._address(m, s3_row, s3_x, s3_low, s3_outside, s3_order)

    def _address(
        self, m: Module, row: Value, x: Value, low_x: Value, outside: Value, order: data.View
    ) -> None:
        job, out = self._job, self.taps.payload
        window, word_x = job.mode == isa.Mode.WINDOW, x >> self._pixel_bits
        m.d.sync += [
            self.taps.valid.eq(self._valid[2]),
            out.addr.eq(Mux(self._add & order.row[0], job.off_src, job.src) + row + Mux(window, word_x, x)),
            out.place.row.eq(order.row),
            out.place.x.eq(Mux(window, word_x, low_x)),
            out.again.eq(order.again),
            out.tap.mode.eq(job.mode),
            out.tap.outside.eq(outside),
            out.tap.fill.eq(Mux(job.mode == isa.Mode.MAX, CODE_MIN, job.z_in ^ Mux(window, FLIP, 0))),
            out.tap.w8.eq(job.w8),
            out.tap.half.eq(self._half),
            out.tap.pixel.eq(x[: self._pixel_bits] - Mux(self._group, order.tap[:2], 0)),
            out.tap.group.eq(self._group),
        ]
        m.d.sync += [out.tap[name].eq(order[name]) for name in ("first", "last", "final")]
        m.d.sync += out.tap.tap.eq(Mux(job.same, 0, order.tap))

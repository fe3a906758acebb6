# SPDX-License-Identifier: Apache-2.0
"""Fetches a depthwise unit's taps, and the offsets that say where they lie, through one read port."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from hw.depthwise_front import JOB
from hw.ports import ScratchpadRead
from hw.tap_walker import PLACE, TAP, TapWalker
from hw.walker import Walker

#: Taps requested and not yet consumed: more than the read latency, so that contention averages out.
TAPS_AHEAD = 16
#: Words kept. One is read again, in the next pixels, at most 15 words after it was requested (3 x 3 taps, new rows
#: included; WINDOW fewer); its place may go to another when that is consumed, 16 taps later at most.
WORDS = 32
OFFSETS_AHEAD = 4  #: offset words requested and not yet used up


#: A tap on its way: the place of its word, and whether that is still to come (otherwise there already, or outside).
_TAG = data.StructLayout({"tap": TAP, "word": range(WORDS), "fresh": 1})


def fetched_tap(config: AcceleratorConfig) -> data.StructLayout:
    """A tap and the word at its place (anything, when the tap is outside)."""
    return data.StructLayout({"tap": TAP, "word": unsigned(8 * config.lanes)})


class Gather(wiring.Component):
    """The taps of the jobs with their words, in order.

    One tap a cycle; an offset word takes one request of the port, so a deformed pixel costs one cycle more. About ten
    cycles from a job to its first tap, unless the job is deformed and its offsets are not there yet. The consumer may
    stop at any time: words wait in a memory that holds those of `TAPS_AHEAD` taps. They stay there for a while, and a
    tap that `TapWalker` marks ``again`` is not read again: it finds the word of its place.

    Parameters: ``config``.
    Members: ``jobs``, ``offset_jobs`` (the deformed ones); ``read``; ``taps``; ``loaded``, ``started``, ``starved``
    and ``busy`` as in `TapWalker`.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "jobs": In(stream.Signature(JOB)),
                "offset_jobs": In(stream.Signature(JOB)),
                "read": Out(ScratchpadRead(config)),
                "taps": Out(stream.Signature(fetched_tap(config))),
                "loaded": In(1),
                "started": Out(1),
                "starved": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = 8 * self.config.lanes
        m.submodules.walker = walker = TapWalker(self.config)
        m.submodules.route = route = SyncFIFO(width=1, depth=TAPS_AHEAD + OFFSETS_AHEAD)
        m.submodules.tags = tags = SyncFIFO(width=_TAG.size, depth=TAPS_AHEAD)
        m.submodules.offsets = offsets = SyncFIFO(width=width, depth=OFFSETS_AHEAD)
        wiring.connect(m, wiring.flipped(self.jobs), walker.jobs)
        for name in ("started", "starved", "busy"):
            m.d.comb += getattr(self, name).eq(getattr(walker, name))
        m.d.comb += [
            walker.loaded.eq(self.loaded),
            walker.offsets.valid.eq(offsets.r_rdy),
            walker.offsets.payload.eq(offsets.r_data),
            offsets.r_en.eq(walker.offsets.ready),
        ]
        self._request(m, walker, route, tags, offsets.r_rdy & offsets.r_en)

        to_offsets = Signal()
        m.d.comb += [
            to_offsets.eq(route.r_data),  # answers come in the order of the requests
            route.r_en.eq(self.read.valid),
            offsets.w_data.eq(self.read.data),
            offsets.w_en.eq(self.read.valid & to_offsets),
        ]
        self._deliver(m, tags, self.read.valid & ~to_offsets)
        return m

    def _deliver(self, m: Module, tags: SyncFIFO, arrives: Value) -> None:
        """Join taps and words: a fresh tap waits until its word has come, all others have theirs."""
        m.submodules.words = words = Memory(shape=8 * self.config.lanes, depth=WORDS, init=[])
        write, read = words.write_port(), words.read_port(domain="comb")
        tag, arrived = data.View(_TAG, tags.r_data), Signal(range(TAPS_AHEAD + 1))
        m.d.comb += [
            write.data.eq(self.read.data),
            write.en.eq(arrives),
            read.addr.eq(tag.word),
            self.taps.valid.eq(tags.r_rdy & (~tag.fresh | (arrived != 0))),
            self.taps.payload.tap.eq(tag.tap),
            self.taps.payload.word.eq(read.data),
            tags.r_en.eq(self.taps.valid & self.taps.ready),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + arrives),
            arrived.eq(arrived + arrives - (tags.r_rdy & tags.r_en & tag.fresh)),
        ]

    def _word(self, m: Module, tap: data.View, goes: Value) -> tuple[Value, Value]:
        """Whether a tap's word must be read, and its place: the next one, or where the word already is."""
        m.submodules.places = places = Memory(shape=range(WORDS), depth=1 << PLACE.size, init=[])
        write, read = places.write_port(), places.read_port(domain="comb")
        fresh, following = Signal(), Signal(range(WORDS))
        m.d.comb += [
            fresh.eq(~tap.tap.outside & ~tap.again),
            read.addr.eq(tap.place),
            write.addr.eq(tap.place),
            write.data.eq(following),
            write.en.eq(goes & fresh),
        ]
        m.d.sync += following.eq(following + write.en)
        return fresh, Mux(tap.again, read.data, following)

    def _request(
        self, m: Module, walker: TapWalker, route: SyncFIFO, tags: SyncFIFO, offset_used: Value
    ) -> None:
        """Offsets go first: there are few, and every tap of their pixel waits for them."""
        m.submodules.offset_walker = offset_walker = Walker()
        job, walk = self.offset_jobs.payload, offset_walker.command
        m.d.comb += [walk.valid.eq(self.offset_jobs.valid), self.offset_jobs.ready.eq(walk.ready)]
        m.d.comb += [
            walk.payload.addr.eq(job.off_src),
            walk.payload.stride.eq(job.off_pitch),
            walk.payload.rows.eq(job.rows),
            walk.payload.words.eq(job.cols),
        ]
        ahead = Signal(range(OFFSETS_AHEAD + 1))
        free, offset_goes, tap_goes, reads = Signal(), Signal(), Signal(), Signal()
        request, tap, tag = self.read.request, walker.taps.payload, data.View(_TAG, tags.w_data)
        fresh, word = self._word(m, tap, tap_goes)
        m.d.comb += [
            free.eq(~request.valid | request.ready),
            offset_goes.eq(offset_walker.steps.valid & (ahead != OFFSETS_AHEAD) & free),
            offset_walker.steps.ready.eq(offset_goes),
            tap_goes.eq(walker.taps.valid & tags.w_rdy & (~fresh | (free & ~offset_goes))),
            walker.taps.ready.eq(tap_goes),
            reads.eq(offset_goes | (tap_goes & fresh)),
            tags.w_en.eq(tap_goes),
            tag.tap.eq(tap.tap),
            tag.word.eq(word),
            tag.fresh.eq(fresh),
            route.w_en.eq(reads),
            route.w_data.eq(offset_goes),
        ]
        m.d.sync += ahead.eq(ahead + offset_goes - offset_used)
        with m.If(free):
            m.d.sync += request.valid.eq(reads)
            with m.If(offset_goes):
                m.d.sync += request.payload.eq(offset_walker.steps.payload.addr)
            with m.Else():
                m.d.sync += request.payload.eq(tap.addr)

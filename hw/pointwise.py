# SPDX-License-Identifier: Apache-2.0
"""The pointwise engine: 1x1 and full k x k convolutions."""

from __future__ import annotations

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, fifo, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.registers import Counter
from hw.array import DotArray
from hw.array_parts import delayed
from hw.booth import plus
from hw.multipliers import Multipliers
from hw.pointwise_issue import PointwiseIssue, pixel_layout, result_layout
from hw.pointwise_loader import PointwiseLoader
from hw.pointwise_requant import RequantiserBank
from hw.ports import EngineControl, ParamStream, ScratchpadRead, ScratchpadWrite


class Pointwise(wiring.Component):
    """Executes POINTWISE instructions exactly as docs/architecture.md states them.

        issue ──▶ addresses ──▶ scratchpad ──▶ array ──▶ accumulators ──▶ requantisers ──▶ codes ──▶ write
          └──▶ pixels, in the same order ──────┘ (rigid from here)                           │
          └──▶ results: where each code goes ────────────────────────────────────────────────┘

    One pixel a cycle; no cycle is lost between passes or instructions when their weights are there, which
    takes a region about as long as a tile has beats (32 for 4-bit weights at 32 x 16) and 6 more. From a
    word's arrival to its
    codes at the write port: `LATENCY` cycles. Everything behind the scratchpad never stalls: the issue side
    stops when `READS` words are on their way or `RESULTS` results unwritten.

    Every instruction's end is an entry of the results, written or not: they retire in order by construction.
    One without ``last`` retires when its last accumulation is committed and all earlier results are written.

    Left out: checks of the instruction's fields, so it never raises ``fault``; the planner's programs are
    verified, and the watchdog ends others.

    Parameters
    ----------
    config: shape.
    layout: of the array's multipliers, see `DotArray`; None is the form to simulate.

    Members
    -------
    control: instructions whose tokens are there, retirements, activity.
    ahead: ``control.instruction`` shows an instruction whose parameters may be loaded, even though it is not valid
        while tokens are missing.
    params: parameter beats.
    read, write: scratchpad ports.
    """

    READS = 16  # words asked for and not arrived; the round trip is about six cycles
    RESULTS = 32  # results between issue and the write port; the way takes about twenty cycles
    REQUESTS = 4
    ACCUMULATE = 1
    ACCUMULATOR_RETURN = 4  # cycles from reading an accumulator to reading what was added to it
    LATENCY = DotArray.LATENCY + ACCUMULATE + RequantiserBank.LATENCY + 1

    def __init__(self, config: AcceleratorConfig, *, layout: Multipliers | None = None):
        self._config, self._layout = config, layout
        super().__init__(
            {
                "control": Out(EngineControl()),
                "ahead": In(1),
                "params": In(ParamStream),
                "read": Out(ScratchpadRead(config)),
                "write": Out(ScratchpadWrite(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.issue = issue = PointwiseIssue(self._config, hazard=self.ACCUMULATOR_RETURN - 1)
        m.submodules.loader = loader = PointwiseLoader(self._config)
        m.submodules.results = results = fifo.SyncFIFO(
            width=result_layout(self._config).size, depth=self.RESULTS
        )
        self._front(m, issue, loader)
        pixel, arrived = self._arrivals(m, issue)
        codes, codes_valid = self._compute(m, loader, pixel, arrived)
        m.d.comb += [
            results.w_data.eq(issue.result),
            results.w_en.eq(issue.result_valid),
            issue.result_room.eq(results.w_rdy),
            loader.release.eq(arrived & pixel.start & pixel.release),
            self.control.activity.eq(
                Mux((issue.activity == Counter.IDLE) & results.r_rdy, Counter.DRAIN, issue.activity)
            ),
        ]
        self._write_back(m, results, codes, codes_valid)
        return m

    def _front(self, m: Module, issue: PointwiseIssue, loader: PointwiseLoader) -> None:
        """The weights side takes an instruction as soon as it is there, the issue side with it or later."""
        instruction, taken = self.control.instruction, Signal()
        wiring.connect(m, wiring.flipped(self.params), loader.params)
        m.d.sync += taken.eq(
            (taken | (loader.instruction.valid & loader.idle)) & ~(instruction.valid & instruction.ready)
        )
        m.d.comb += [
            issue.instruction.payload.eq(instruction.payload),
            issue.instruction.valid.eq(instruction.valid),
            instruction.ready.eq(issue.instruction.ready),
            issue.known.eq(taken | loader.idle),
            loader.instruction.payload.eq(instruction.payload),
            loader.instruction.valid.eq((self.ahead | instruction.valid) & ~taken),
            issue.tile_ready.eq(loader.tile_ready),
            loader.claim.eq(issue.claim),
        ]

    def _arrivals(self, m: Module, issue: PointwiseIssue) -> tuple[data.View, Signal]:
        """Requests out; returns the pixel whose word arrives in this cycle."""
        m.submodules.requests = requests = fifo.SyncFIFO(
            width=len(issue.request.payload), depth=self.REQUESTS
        )
        layout = pixel_layout(self._config)
        m.submodules.pixels = pixels = fifo.SyncFIFO(width=layout.size, depth=self.READS)
        pixel = Signal(layout)
        m.d.comb += [
            requests.w_data.eq(issue.request.payload),
            requests.w_en.eq(issue.request.valid),
            issue.request.ready.eq(requests.w_rdy),
            self.read.request.payload.eq(requests.r_data),
            self.read.request.valid.eq(requests.r_rdy),
            requests.r_en.eq(self.read.request.ready),
            pixels.w_data.eq(issue.pixel),
            pixels.w_en.eq(issue.pixel_valid),
            issue.pixel_room.eq(pixels.w_rdy),
            issue.pixel_empty.eq(~pixels.r_rdy),
            pixel.eq(pixels.r_data),
            pixels.r_en.eq(self.read.valid),
        ]
        return pixel, self.read.valid

    def _compute(
        self, m: Module, loader: PointwiseLoader, pixel: data.View, arrived: Signal
    ) -> tuple[Signal, Signal]:
        """Array, accumulators and requantisers; returns the codes and whether they are a result."""
        config = self._config
        m.submodules.array = array = DotArray(config.lanes, config.array_out, layout=self._layout)
        m.submodules.bank = bank = RequantiserBank(config.array_out, config.acc_bits)
        m.d.comb += [
            array.x.eq(Mux(pixel.pad, pixel.z_in.as_unsigned().replicate(config.lanes), self.read.data)),
            array.swap.eq(arrived & pixel.start),
            array.swap_high.eq(pixel.high),
            array.load.eq(loader.tile_load),
            array.load_data.eq(loader.data),
            array.load_index.eq(loader.index),
            array.load_wide.eq(loader.wide),
            bank.load.eq(loader.requant_load),
            bank.load_data.eq(loader.data),
            bank.load_index.eq(loader.index),
            bank.load_done.eq(loader.requant_done),
            bank.zero.eq(loader.job.z_out),
            bank.lo.eq(loader.job.lo),
            bank.hi.eq(loader.job.hi),
            loader.requant_free.eq(bank.free),
        ]
        names = ("high", "overwrite", "promote", "result")
        stage = {"valid": self._delay(m, "valid", arrived, DotArray.LATENCY)}
        for name in names:
            stage[name] = self._delay(m, name, pixel[name] & arrived, DotArray.LATENCY)
        m.d.comb += bank.promote.eq(stage["promote"][-1])
        self._accumulate(m, stage, pixel.acc, array, bank)
        done = self._delay(m, "done", stage["result"][-1], self.ACCUMULATE + bank.LATENCY)
        return bank.codes, done[-1]

    def _accumulate(
        self,
        m: Module,
        stage: dict[str, list[Signal]],
        address: Value,
        array: DotArray,
        bank: RequantiserBank,
    ) -> None:
        """Read two cycles before the sum comes, add, write a cycle after it: see `ACCUMULATOR_RETURN`."""
        config = self._config
        row = data.ArrayLayout(signed(config.acc_bits), config.array_out)
        m.submodules.accumulators = memory = Memory(shape=row, depth=config.acc_depth, init=[])
        read, write = memory.read_port(), memory.write_port()
        at = delayed(m, address, DotArray.LATENCY + self.ACCUMULATE, "acc")  # as late as `stage`
        before, sums = (Signal(row, name=name, reset_less=True) for name in ("before", "sums"))
        sums_valid = Signal()
        m.d.comb += [read.addr.eq(at[DotArray.LATENCY - 2]), read.en.eq(stage["valid"][-3])]
        m.d.sync += [before.eq(read.data), sums_valid.eq(stage["valid"][-1])]
        with m.If(stage["overwrite"][-2]):
            m.d.sync += before.eq(0)
        for o in range(config.array_out):
            term = Mux(stage["high"][-1], array.sums[o] << 4, array.sums[o])
            m.d.sync += sums[o].eq(plus(m, before[o], term, Const(0, 1), config.acc_bits))
        m.d.comb += [write.addr.eq(at[-1]), write.data.eq(sums), write.en.eq(sums_valid), bank.acc.eq(sums)]

    def _write_back(self, m: Module, results: fifo.SyncFIFO, codes: Signal, codes_valid: Signal) -> None:
        """Join codes with where they go; the end of an instruction retires it."""
        config = self._config
        m.submodules.codes = ready = fifo.SyncFIFO(width=len(codes), depth=self.RESULTS)
        result, request = Signal(result_layout(config)), self.write.request
        done = Signal()
        m.d.comb += [
            ready.w_data.eq(codes),
            ready.w_en.eq(codes_valid),
            result.eq(results.r_data),
            request.valid.eq(ready.r_rdy & result.write),
            request.payload.addr.eq(result.addr),
            request.payload.data.eq(ready.r_data.replicate(config.groups)),
            done.eq(ready.r_rdy & (request.ready | ~result.write)),
            ready.r_en.eq(done),
            results.r_en.eq(done),
        ]
        for group in range(config.groups):
            lanes = request.payload.mask.word_select(group, config.array_out)
            m.d.comb += lanes.eq(Mux(result.group == group, result.mask, 0))
        m.d.sync += [
            self.control.retire.eq(done & result.end),
            self.control.retire_index.eq(result.index),
        ]

    @staticmethod
    def _delay(m: Module, name: str, value: Signal, cycles: int) -> list[Signal]:
        """``value`` delayed by 0, 1, ... cycles."""
        delayed = [value]
        for cycle in range(cycles):
            delayed.append(Signal(name=f"{name}{cycle + 1}"))
            m.d.sync += delayed[-1].eq(delayed[-2])
        return delayed

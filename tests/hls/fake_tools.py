# SPDX-License-Identifier: Apache-2.0
"""Vivado HLS and Vivado as far as a script's commands go: a real Tcl interpreter, files that must exist, what they leave.

Written on the PATH as programs of those names (`install`), each a call of `main`, which notes every command in calls.json.
"""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORT = """<profile><UserAssignments><TargetClockPeriod>10.00</TargetClockPeriod></UserAssignments><PerformanceEstimates>
<SummaryOfTimingAnalysis><EstimatedClockPeriod>8.70</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><Best-caseLatency>9000</Best-caseLatency><Worst-caseLatency>12345</Worst-caseLatency>
<Interval-min>5000</Interval-min><Interval-max>6789</Interval-max></SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources><BRAM_18K>11</BRAM_18K><DSP48E>22</DSP48E><FF>3333</FF><LUT>4444</LUT></Resources>
<AvailableResources><LUT>53200</LUT></AvailableResources></AreaEstimates></profile>"""
APP = '<project xmlns="com.autoesl"><solutions><solution name="solution1"/></solutions></project>'
HLS = ("open_project", "set_top", "add_files", "open_solution", "config_array_partition", "config_compile", "set_part", "config_schedule",
       "create_clock", "set_clock_uncertainty", "csim_design", "csynth_design", "cosim_design", "export_design")  # fmt: skip
VIVADO = (
    "create_project", "set_property", "update_ip_catalog", "create_bd_design", "startgroup", "endgroup", "create_bd_cell", "apply_bd_automation",
    "connect_bd_intf_net", "connect_bd_net", "group_bd_cells", "make_wrapper", "add_files", "reset_run", "launch_runs", "wait_on_run", "open_run",
    "report_utilization", "current_project", "get_bd_cells", "get_bd_pins", "get_bd_intf_pins", "get_files",
)  # fmt: skip


def install(folder: Path, *names: str, code: int = 0) -> None:
    """Programs ``names`` in ``folder``; they end with ``code``."""
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
                        f"from tests.hls.fake_tools import main\nmain({name!r}, sys.argv[1:], {code})\n")  # fmt: skip
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def main(name: str, arguments: list[str], code: int) -> None:
    """Run the script that the arguments name, as the tool would."""
    expected = {"vivado": ["-mode", "batch", "-source"], "vitis-run": ["--mode", "hls", "--tcl"]}.get(name, ["-f"])
    assert arguments[:-1] == expected, f"{name} {arguments}"
    calls: list[list[str]] = []
    try:
        _interpret(Path(arguments[-1]), VIVADO if name == "vivado" else HLS, calls)
    finally:
        Path(f"{name}.calls.json").write_text(json.dumps(calls))
    if code:
        print("ERROR: [HLS 200-70] no licence")
    else:
        (_leave_bitstream if name == "vivado" else _leave_rtl)([call[0] for call in calls])
    sys.exit(code)


def _interpret(script: Path, known: tuple[str, ...], calls: list[list[str]]) -> None:
    import tkinter

    class Ended(Exception):
        pass

    tcl = tkinter.Tcl()
    tcl.eval("proc exit {args} { error {the script is over} }")

    def command(name: str):
        def call(*words: object) -> str:
            texts = [str(word) for word in words]
            if name == "add_files" and not texts[-1].startswith("./"):
                files = [texts[1]] if texts[0] in ("-tb", "-norecurse") else [texts[0]]
                for each in files:
                    assert Path(each).exists(), f"{each} does not exist"
            calls.append([name, *texts])
            return texts[-1] if name.startswith("get_") else ""

        return call

    for name in known:
        tcl.createcommand(name, command(name))
    try:
        tcl.eval(f"source {{{script}}}")
    except tkinter.TclError as error:
        if "the script is over" not in str(error):
            raise


def _leave_rtl(calls: list[str]) -> None:
    solution = Path("codesign_prj/solution1")
    if "csynth_design" in calls:
        (solution / "syn/report").mkdir(parents=True)
        (solution / "syn/report/codesign_axi_csynth.xml").write_text(REPORT)
        (solution / "run.tcl").write_text("# the tool's own\n")
        Path("codesign_prj/vivado_hls.app").write_text(APP)
    if "export_design" in calls:
        (solution / "impl/ip").mkdir(parents=True)


def _leave_bitstream(calls: list[str]) -> None:
    assert Path("codesign_prj/solution1/impl/ip").is_dir(), "no IP"
    if "launch_runs" in calls:
        run = Path("codesign_vivado_accelerator/project_1.runs/impl_1")
        run.mkdir(parents=True)
        (run / "design_1_wrapper.bit").write_bytes(b"bits")

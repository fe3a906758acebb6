# SPDX-License-Identifier: Apache-2.0
"""The Tcl of a written project as Vivado HLS and Vivado take it: one script to run, and hls4ml's slips mended."""

from __future__ import annotations

import re
from pathlib import Path

RUN_HLS, DESIGN = "run_hls.tcl", "design.tcl"
OPTIONS = "reset=1 csim=0 synth=1 cosim=0 validation=0 export=1 vsynth=0"
#: AXI DMA's widths towards memory: 32 bits or more (AMD PG021), whatever the stream's are
_MEMORY_WIDTH = re.compile(r"CONFIG\.c_(?:m_axi|s_axis)_(mm2s|s2mm)_data_width \$\{bit_width_hls_(?:in|out)put\}")


def write_run_script(folder: Path) -> None:
    """The options as one argument: as several, hls4ml's script takes ``vsynth=0`` for ``synth=0``.

    Every HLS tool takes the script alike: ``vivado_hls -f``, ``vitis_hls -f``, ``vitis-run --mode hls --tcl``.
    """
    (folder / RUN_HLS).write_text(f"# synthesis and export of the IP, without another C simulation\nset argv [list {{{OPTIONS}}}]\nsource build_prj.tcl\n")


def mend_design(folder: Path) -> None:
    """hls4ml 1.3.0 gives the DMA's memory side the stream's 8 bits, and calls one of the two parameters by a wrong name."""
    path = folder / DESIGN
    path.write_text(_MEMORY_WIDTH.sub(r"CONFIG.c_m_axi_\1_data_width {32}", path.read_text()))

# SPDX-License-Identifier: Apache-2.0
"""A bitstream for Lattice ECP5 with open tools alone: the board's accelerator with a frame in block RAM that tests itself.

`frame` is that frame, `part` what nextpnr calls the device, `top` the module with the pins, `flow` runs Yosys, nextpnr and ecppack.
"""

from codesign.ecp5.flow import BIT, Bitstream, Failed, Flow, make
from codesign.ecp5.tools import missing_tool

__all__ = ["BIT", "Bitstream", "Failed", "Flow", "make", "missing_tool"]

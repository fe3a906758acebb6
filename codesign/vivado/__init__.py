# SPDX-License-Identifier: Apache-2.0
"""The hand-over to Vivado: a wrapper whose AXI interfaces it recognises, IP and block design scripts, and their run."""

from codesign.vivado.scripts import hand_over
from codesign.vivado.wrapper import TOP, interfaces, wrapper

__all__ = ["TOP", "hand_over", "interfaces", "wrapper"]

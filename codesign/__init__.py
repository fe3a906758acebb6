# SPDX-License-Identifier: Apache-2.0
"""Train, lower, generate, simulate and verify FPGA accelerators for deformable object detectors."""

__version__ = "0.1.0"

# SPDX-License-Identifier: Apache-2.0
"""Simulation on Verilator: benches per block (cocotb) and whole frames (a shared library behind ctypes)."""

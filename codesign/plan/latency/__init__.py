# SPDX-License-Identifier: Apache-2.0
"""Latency model: cycles of a program without RTL, in milliseconds.

Each engine is a server in program order (`engines`), fed by dispatcher and parameter fetcher (`fetch`). A pass in program order
gives every instruction its cycles (`schedule`); from who ran beside whom follows by how much they slow each other down on the
scratchpad's banks (`banks`) and in DRAM (`contention`), and the next pass counts it. Constants: `hardware`.
"""

from codesign.plan.latency.model import Latency, against_rtl, predict

__all__ = ["Latency", "against_rtl", "predict"]

# SPDX-License-Identifier: Apache-2.0
"""The accelerators that are fuzzed: small ones that together reach both ends of every setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codesign.program.config import AcceleratorConfig as Accelerator

#: Every path of the default accelerator, but small enough to simulate fast.
CONFIG = Accelerator(lanes=32, array_out=8, depthwise_units=2, spad_words=2048, acc_depth=64, spad_banks=4)

_SETTINGS = ("lanes", "array_out", "depthwise_units", "acc_bits", "acc_depth", "spad_words", "spad_banks",
             "depthwise_requant", "queue_depth", "pointwise_param_beats", "depthwise_param_beats", "memory_ports")  # fmt: skip
_ROWS = (
    (32, 8, 2, 24, 64, 2048, 4, 4, 32, 2048, 512, 2),
    (16, 4, 1, 24, 32, 1024, 1, 1, 2, 16, 16, 1),
    (16, 8, 5, 32, 128, 4096, 16, 8, 64, 256, 32, 2),
    (32, 4, 1, 28, 32, 4096, 2, 16, 3, 64, 64, 1),
    (32, 16, 3, 24, 512, 6144, 8, 4, 8, 1024, 512, 2),
    (16, 16, 2, 26, 256, 2048, 8, 2, 5, 128, 128, 1),
    (32, 32, 1, 24, 64, 3072, 4, 8, 16, 512, 256, 2),
    (16, 4, 3, 25, 4096, 8192, 2, 4, 4, 32, 256, 2),
    (32, 8, 4, 30, 1024, 1536, 4, 1, 2, 128, 16, 1),
    (16, 8, 1, 24, 32, 768, 2, 8, 32, 2048, 1024, 1),
    (32, 4, 2, 24, 128, 12288, 16, 2, 7, 16, 64, 2),
    (16, 16, 4, 32, 64, 1024, 1, 4, 12, 64, 32, 2),
)
#: Twelve accelerators; the first is `CONFIG`.
MACHINES: tuple[Accelerator, ...] = tuple(Accelerator(**dict(zip(_SETTINGS, row, strict=True))) for row in _ROWS)


def library(config: Accelerator, folder: Path | None = None, log: Callable[[str], None] = lambda _: None) -> Path:
    """The Verilated accelerator of ``config``, in ``folder`` or the user's cache; compiled once per content."""
    from hw.generate import verilog
    from sim.verilate import build

    return build(verilog(config, monitors=True), config, folder, log, quick=True)


def title(config: Accelerator) -> str:
    """The settings in one line, as boards take them."""
    return ",".join(f"{name}={getattr(config, name)}" for name in _SETTINGS)

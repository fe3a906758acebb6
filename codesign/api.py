# SPDX-License-Identifier: Apache-2.0
"""The steps as a Python interface. What needs PyTorch or Amaranth is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codesign.boards import Board, Device, Dram, load_board
from codesign.build import BuildOptions, BuildResult, StepResult, build
from codesign.build.detector import Detector
from codesign.build.runner import Listener
from codesign.build.steps.lower import lowered as lower
from codesign.data.folder import read_classes, read_split
from codesign.data.sample import Sample
from codesign.decode import Detections, decode, decode_codes
from codesign.errors import UserError
from codesign.evaluate.ap import ApResult, Truth, ap50
from codesign.evaluate.coco import CocoResult, coco_ap
from codesign.evaluate.scores import Scores, score
from codesign.golden import TensorStats, image_codes, tensor_stats
from codesign.golden import run as golden
from codesign.graph.files import load_graph, save_graph
from codesign.graph.ir import Graph
from codesign.plan import Plan, plan
from codesign.program.config import AcceleratorConfig
from codesign.program.disasm import disassemble
from codesign.verify import Comparison, Difference, Frame, compare, run_frame

if TYPE_CHECKING:
    from codesign.nn.config import NetConfig
    from codesign.train.loop import TrainResult
    from codesign.train.recipe import Recipe

__all__ = [
    "AcceleratorConfig", "ApResult", "Board", "BuildOptions", "BuildResult", "CocoResult", "Comparison", "Detections", "Detector",
    "Device", "Difference", "Dram", "Frame", "Graph", "Listener", "Plan", "Sample", "Scores", "StepResult", "TensorStats", "Truth",
    "UserError", "ap50", "build", "coco_ap", "compare", "decode", "decode_codes", "disassemble", "golden", "image_codes",
    "load_board", "load_graph", "lower", "plan", "read_classes", "read_split", "run_frame", "save_graph", "score", "simulator",
    "tensor_stats", "train", "verilog",
]  # fmt: skip


def verilog(config: AcceleratorConfig, monitors: bool = True) -> str:
    """The accelerator as Verilog; ``monitors`` adds outputs that `compare` needs and that change no cycle."""
    from hw.generate import verilog as generate

    return generate(config, monitors)


def simulator(text: str | Path, config: AcceleratorConfig, folder: Path | None = None) -> Path:
    """The Verilog (text, or path of a file) compiled into a shared library for `run_frame`."""
    from sim.verilate import build as compile_library

    return compile_library(text, config, folder)


def train(data: Path, recipe: Recipe, out: Path, config: NetConfig | None = None) -> TrainResult | None:
    """Train on a Pascal VOC folder; resumes in ``out``."""
    from codesign.train.loop import train as run

    return run(data, recipe, out, config=config)

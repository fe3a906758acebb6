# SPDX-License-Identifier: Apache-2.0
"""`codesign check`: what a board makes of an ONNX model, operator by operator, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Board, Json
from codesign.cli.output import console, write_json

if TYPE_CHECKING:
    from codesign.onnx.board import BoardCheck
    from codesign.onnx.verdict import Verdict

_WIDTH = 48  # of a name in the listing


def check_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A quantised model: QONNX, or ONNX with QDQ.")],
    board: Board = "pynq-z2",
    json: Json = None,
) -> None:
    """Say per operator whether a model can be built for a board, whether it fits, and how fast it would be."""
    from codesign.boards import load_board
    from codesign.onnx.board import check_board
    from codesign.onnx.importer import examine

    target = load_board(board)
    found = examine(model, target.accelerator.acc_bits)
    answer = check_board(found, target)
    say = console().print
    say(f"codesign check: {model} for {target.title}: opset {found.opset}, {len(answer.verdicts)} operators, "
        f"{found.constants} constants folded")  # fmt: skip
    for verdict in answer.verdicts:
        say(_line(verdict))
    for line in _summary(answer, target.clock_mhz):
        say(line)
    write_json(json, _document(answer, str(model), target.name))
    if not answer.supported:
        raise typer.Exit(1)


def _line(verdict: Verdict) -> str:
    name = verdict.name if len(verdict.name) <= _WIDTH else f"…{verdict.name[1 - _WIDTH :]}"
    said = verdict.note if not verdict.rule else f"{verdict.rule}; {verdict.remedy}"
    if verdict.rule and name != verdict.name:
        said = f"{said} (node {verdict.name})"
    return f"{name:<{_WIDTH}} {verdict.kind:<18} {verdict.status:<13} {said}"


def _summary(answer: BoardCheck, clock_mhz: float) -> list[str]:
    """Memory, prediction and the answer."""
    lines = []
    if answer.memory is not None:
        m = answer.memory
        lines.append(f"memory: {m.weight_bytes:,} bytes of weights; largest map {m.largest}: {m.map_words:,} words, "
                     f"scratchpad {m.spad_words:,}" + (f"; DRAM {m.dram_bytes:,} bytes" if m.dram_bytes else ""))  # fmt: skip
    if answer.cycles is not None and answer.fps is not None:
        lines.append(f"predicted by the latency model: {answer.cycles:,} cycles a frame, {answer.fps:,.1f} frames/s at {clock_mhz:g} MHz; "
                     f"{answer.macs:,} multiply-accumulates")  # fmt: skip
    bad = [verdict for verdict in answer.verdicts if verdict.rule]
    golden = [verdict for verdict in bad if verdict.status == "golden only"]
    if not bad:
        return [*lines, "supported"]
    if len(golden) == len(bad):
        lines.append("cycles are not predicted: golden executes every operator, the accelerator does not")
    return [*lines, f"not supported: {len(bad)} of {len(answer.verdicts)} operators"]


def _document(answer: BoardCheck, model: str, board: str) -> dict[str, object]:
    from dataclasses import asdict

    return {"model": model, "board": board, **asdict(answer)}

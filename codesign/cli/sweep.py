# SPDX-License-Identifier: Apache-2.0
"""`codesign sweep`: accuracy, latency and resources over networks, accelerators and boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.build import Json
from codesign.cli.output import console, write_json
from codesign.sweep.runner import BASE, Listener

if TYPE_CHECKING:
    from codesign.sweep.runner import SweepResult
    from codesign.sweep.spec import SweepSpec

SHOWN = 40  #: points of the front that are printed
DEFAULT = Path("build") / "sweep"


def sweep_command(
    file: Annotated[str | None, typer.Argument(metavar="FILE|NAME", help="A sweep file (.toml), or the name of a shipped one.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where results are kept; default build/sweep-NAME.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes, in place of the file's.")] = None,
    executor: Annotated[str | None, typer.Option("--executor", metavar="local|ray", help="In place of the file's.")] = None,
    check: Annotated[int | None, typer.Option("--check", metavar="N", min=0, help="Points of the front to build in RTL, in place of the file's.")] = None,
    recommended: Annotated[bool, typer.Option("--recommend", help="Only say which design found so far is the fastest.")] = False,
    min_ap50: Annotated[float | None, typer.Option("--min-ap50", min=0.0, max=1.0, help="Least AP50 of what is recommended.")] = None,
    board: Annotated[str | None, typer.Option("--board", metavar="NAME", help="Board of what is recommended.")] = None,
    json: Json = None,
) -> None:
    """Search networks x accelerators x boards; results are kept, and a killed sweep goes on where it was."""
    from codesign.errors import UserError
    from codesign.sweep.spec import load_spec

    if file is None and not recommended:
        raise UserError("a sweep file is missing; codesign sweep FILE.toml, or --recommend for what was found before")
    spec = load_spec(file) if file is not None else None
    folder = out or (Path("build") / f"sweep-{spec.name}" if spec is not None else _latest())
    if recommended:
        _recommend(folder, board, min_ap50, json)
        return
    assert spec is not None
    from codesign.sweep.runner import run_sweep

    spec = _with(spec, workers, executor, check)
    result = run_sweep(spec, folder, _Printer())
    _show(result, spec)
    document = {"name": spec.name, "seed": spec.seed, "searches": result.searches, "points": result.points, "seconds": result.seconds}
    write_json(json, document)


def _with(spec: SweepSpec, workers: int | None, executor: str | None, check: int | None) -> SweepSpec:
    """The file's executor and check, with what the command line says instead."""
    from codesign.errors import UserError

    if executor not in (None, "local", "ray"):
        raise UserError(f"--executor {executor!r}: must be local or ray")
    chosen = replace(spec.executor, kind=executor or spec.executor.kind, workers=workers or spec.executor.workers)
    points = spec.check.points if check is None else check
    return replace(spec, executor=chosen, check=replace(spec.check, points=points))


def _latest() -> Path:
    """The folder of the sweep that was run last."""
    from codesign.errors import UserError

    found = sorted(Path("build").glob(f"sweep*/{BASE}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError("no sweep was run here; codesign sweep FILE.toml first, or name its folder with --out")
    return found[-1].parent


def _recommend(folder: Path, board: str | None, min_ap50: float | None, json: Path | None) -> None:
    from codesign.errors import UserError
    from codesign.sweep.recommend import build_command, recommend
    from codesign.sweep.store import Store

    if not (folder / BASE).is_file():
        raise UserError(f"{folder}: holds no sweep; run codesign sweep FILE.toml first")
    store = Store(folder / BASE)
    try:
        point = recommend(store, board, min_ap50)
        command = build_command(store, point)
    finally:
        store.close()
    say = console().print
    for line in point_lines(point):
        say(line)
    say(command)
    write_json(json, {"point": point, "command": command})


def _show(result: SweepResult, spec: SweepSpec) -> None:
    """The front as a table, what was checked, and the next command."""
    say = console().print
    front = sorted((p for p in result.points if p["front"]), key=lambda p: (p["board"], p["latency_ms"]))
    say(f"{len(result.points):,} points, {len(front)} on the front of {', '.join(spec.objectives)}:")
    say(f"{'ms':>9} {'AP50':>6} {'LUT':>7} {'FF':>7} {'DSP':>4} {'BRAM':>6} {'area':>6}  {'cycles by':<10} design, network")
    for point in front[:SHOWN]:
        accuracy = "     -" if point["ap50"] is None else f"{point['ap50']:6.3f}"
        kind = {"rtl": "RTL", "estimated": "estimate"}.get(point["fidelity"], "planner")
        say(f"{point['latency_ms']:9.3f} {accuracy} {point['lut']:7,} {point['ff']:7,} {point['dsp']:4} {point['bram36']:6} "
            f"{point['area']:6.1%}  {kind:<10} {point['design']}, {point['network']}")  # fmt: skip
    for point in front:
        if point["fidelity"] == "rtl":
            for line in check_lines(point):
                say(line)
    say(f"{result.performed:,} tasks done in {result.seconds:.1f} s; results in {result.folder / BASE}")
    say(f"next: codesign sweep {spec.path} --recommend --board {front[0]['board'] if front else spec.hardware.boards[0]}")


def point_lines(point: dict[str, Any]) -> list[str]:
    """A point in words."""
    accuracy = "" if point["ap50"] is None else f", AP50 {point['ap50']:.4f}"
    sure = {"rtl": "simulated", "estimated": "estimated"}.get(point["fidelity"], "by the latency model")
    head = f"{point['network']} on {point['design']}: {point['latency_ms']:.3f} ms a frame ({point['fps']:.1f} frames/s) {sure}{accuracy}"
    counts = f"{point['lut']:,} LUT, {point['ff']:,} FF, {point['dsp']} DSP, {point['bram36']} block RAMs"
    return [head, f"resources estimated: {counts}"]


def check_lines(point: dict[str, Any]) -> list[str]:
    """What RTL says, and the errors of the estimates."""
    rtl = point["rtl"]
    errors = ", ".join(f"{name} {error:+.1%}" for name, error in rtl["errors"].items())
    exact = f"{rtl['mismatches']:,} of {rtl['values']:,} values differ"
    lines = [f"checked in RTL: {point['design']}, {point['network']}: {rtl['cycles']:,} cycles, {exact}; estimates' errors: {errors}"]
    if not rtl.get("fits", True):
        counts = f"{rtl['lut']:,} LUT, {rtl['ff']:,} FF, {rtl['dsp']} DSP, {rtl['bram36']} block RAMs"
        lines.append(f"  does not fit {point['board']} as synthesised: {counts}; it is not recommended")
    return lines


class _Printer(Listener):
    """A line per stage and finding; counts where somebody watches."""

    def __init__(self) -> None:
        self._out = console()
        self._stage = ""

    def stage(self, text: str) -> None:
        self._stage = text
        self._out.print(text)

    def done(self, kind: str, finished: int, wanted: int) -> None:
        if self._out.is_terminal:
            self._out.print(f"  {kind} {finished} of {wanted}", end="\r")
        elif kind in ("train", "check"):
            self._out.print(f"  {kind} {finished} of {wanted}")

    def note(self, text: str) -> None:
        self._out.print(f"  {text}")

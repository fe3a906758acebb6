# SPDX-License-Identifier: Apache-2.0
"""`codesign diff`: the first value that an implementation has wrong, what made it, and the rule that differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.build import Config, Json, Model
from codesign.cli.output import BuildPrinter, console, write_json

if TYPE_CHECKING:
    import numpy as np

    from codesign.build.step import Context
    from codesign.diff.finding import Finding, LayerCheck
    from codesign.diff.observers import Observation, Observer

TOLERATED = 1e-3  # share of codes off by one, where float32 and a 16-bit multiplier round apart


def diff_command(
    on: Annotated[str, typer.Option("--on", help="brevitas, rtl or a .npz of tensors; several with commas. Default: brevitas,rtl.")] = "",
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE|DIR", help="A picture or a folder of them; default: the build's own.")
    ] = None,
    images: Annotated[int | None, typer.Option("--images", min=1, help="At most so many pictures of a folder.")] = None,
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose RTL runs.")] = "pynq-z2",
    config: Config = "b",
    model: Model = None,
    build_dir: Annotated[Path | None, typer.Option("--build", metavar="DIR", help="Build folder; edited artefacts are used.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Heat maps and waveform; default: diff/ there.")] = None,
    waves: Annotated[bool, typer.Option("--waves/--no-waves", help="Cut a waveform at the RTL's first difference.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Codes off by one count for Brevitas too.")] = False,
    json: Json = None,
) -> int:
    """Each layer is computed by the contract from the inputs it really had; the first that differs is taken apart."""
    from codesign.build import BuildOptions

    options = BuildOptions(board, config, model, out=build_dir)
    names = _names(options, on)
    context = _context(options, names)
    results = []
    for observer in (_observer(context, name) for name in names):
        for name, codes in _inputs(context, image, images):
            results.append(_one(context, observer, name, codes, out or context.path("diff"), waves, strict))
            if results[-1]["first"] is not None:
                break
    write_json(json, {"results": results})
    return 1 if any(result["first"] for result in results) else 0


def _names(options: Any, on: str) -> list[str]:
    """Who is looked at; wrong names are refused before anything is built."""
    from codesign.errors import UserError

    brevitas = options.trained_model is not None and options.onnx_model is None
    names = [name.strip() for name in (on or ("brevitas,rtl" if brevitas else "rtl")).split(",")]
    for name in names:
        if name == "brevitas" and not brevitas:
            raise UserError("--on brevitas needs a model of `codesign train`; give one with --model")
        if name not in ("brevitas", "rtl") and not name.endswith(".npz"):
            raise UserError(f"--on {name!r}: must be brevitas, rtl or a .npz file")
        if name.endswith(".npz") and not Path(name).is_file():
            raise UserError(f"--on {name}: no such file")
    return names


def _context(options: Any, names: list[str]) -> Context:
    """The build folder, as far as it is needed, brought up to date."""
    from codesign.boards import load_board
    from codesign.build.runner import build
    from codesign.build.step import Context
    from codesign.errors import UserError

    result = build(options, BuildPrinter(details=False), until="verilate" if "rtl" in names else "golden")
    if result.failed:
        raise UserError("the build failed before there was anything to compare; see above")
    return Context(options, load_board(options.board), result.folder, _silent, _silent)


def _silent(_: str) -> None:
    pass


def _observer(context: Context, name: str) -> Observer:
    from codesign.diff.observers import BrevitasObserver, FileObserver, RtlObserver

    if name == "rtl":
        return RtlObserver(context)
    model = context.options.trained_model
    return BrevitasObserver(model) if name == "brevitas" and model is not None else FileObserver(Path(name), context.graph)


def _inputs(context: Context, image: Path | None, limit: int | None) -> Iterator[tuple[str, np.ndarray]]:
    from codesign.build.detector import graph_fit
    from codesign.build.network_input import pixel_codes
    from codesign.build.pictures import pictures_of
    from codesign.data.fit import fit_picture
    from codesign.data.sample import load_image

    if image is None:
        yield "the build's picture", context.codes
        return
    _, height, width = context.graph.input.shape
    for path in pictures_of(image)[:limit]:
        fitted = fit_picture(load_image(path), height, width, graph_fit(context.graph))
        yield str(path), pixel_codes(fitted.pixels, context.graph)


def _one(
    context: Context, observer: Observer, name: str, codes: np.ndarray, out: Path, waves: bool, strict: bool
) -> dict[str, Any]:
    from codesign.diff.finding import Finding, check_layers

    seen = observer.observe(codes)
    checks = list(check_layers(context.graph, seen.tensors))
    wrong = [check for check in checks if _differs(check, observer.exact or strict)]
    head = {"on": observer.name, "input": name, "layers": len(checks), "values": sum(check.bad.size for check in checks)}
    if not wrong:
        return {**head, **_agreed(head, checks)}
    finding = Finding.of(wrong[0])
    console().print(f"{observer.name}, {name}:")
    told = _told(finding, wrong[1:])
    picture = _picture(out / f"{observer.name}.png", head, codes, checks, finding)
    wave = _wave(context, seen, finding, codes, out / f"{observer.name}.vcd") if waves else None
    return {**head, **told, "picture": picture, "waveform": wave}


def _agreed(head: dict[str, Any], checks: list[LayerCheck]) -> dict[str, Any]:
    off = sum(check.differing for check in checks)
    tolerated = f", {off:,} codes off by one (float32 against 16-bit multipliers)" if off else ""
    console().print(f"{head['on']}, {head['input']}: {head['layers']} layers, {head['values']:,} values, no difference{tolerated}")
    return {"off_by_one": off, "first": None}


def _told(finding: Finding, later: list[LayerCheck]) -> dict[str, Any]:
    """The finding, and what else goes wrong by itself."""
    from codesign.diff.finding import clearest
    from codesign.diff.text import document, lines

    say = console().print
    for line in lines(finding):
        say(line)
    also = [check.node.name for check in later]
    say(f"  {len(also)} later layers go wrong by themselves" + (f": {', '.join(also[:6])}" if also else ""))
    plain = None if finding.explanation is not None else clearest(later)
    if plain is not None:
        say(f"  perhaps the same fault, in layer {plain.check.node.name}: {plain.explanation}")
    return {"first": document(finding), "also": also, "elsewhere": document(plain) if plain else None}


def _picture(path: Path, head: dict[str, Any], codes: np.ndarray, checks: list[LayerCheck], finding: Finding) -> str:
    from codesign.diff.picture import heat_map

    path.parent.mkdir(parents=True, exist_ok=True)
    heat_map(path, f"{head['on']} against the contract, {head['input']}", codes, checks, finding)
    console().print(f"  where values differ: {path}")
    return str(path)


def _differs(check: LayerCheck, exact: bool) -> bool:
    if exact or not check.differing:
        return bool(check.differing)
    return check.greatest > 1 or check.differing > TOLERATED * check.bad.size


def _wave(context: Context, seen: Observation, finding: Finding, codes: np.ndarray, path: Path) -> dict[str, Any] | None:
    from codesign.diff.waves import cut

    where = (finding.check.node.output, finding.channel, finding.y, finding.x)
    write = None if seen.rtl is None else seen.rtl.write_of(*where)
    if write is None:
        return None
    say = console().print
    engine = context.plan.program.config.engines[write.engine]
    say(f"  written in cycle {write.cycle:,} by {engine}, instruction {write.instruction} (layer {write.node})")
    first, last = cut(context, codes, write.cycle, path, lambda text: say(f"  {text}"))
    say(f"  waveform of cycles {first:,} to {last:,}: {path}")
    return {"file": str(path), "first_cycle": first, "last_cycle": last, "engine": engine, "instruction": write.instruction}

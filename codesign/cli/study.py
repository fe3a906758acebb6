# SPDX-License-Identifier: Apache-2.0
"""`codesign study`: what the deformable decoder is worth, and `codesign study show`: what the runs so far say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Json
from codesign.cli.output import console, write_json

RESULTS = Path("data") / "study" / "results.jsonl"
Results_ = Annotated[Path, typer.Option("--results", metavar="FILE", help="The results file, one line a run.")]

study_app = typer.Typer(invoke_without_command=True, add_completion=False, rich_markup_mode=None)


@study_app.callback()
def study_command(
    context: typer.Context,
    results: Results_ = RESULTS,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Scenes, backbone and unfinished runs.")] = RESULTS.parent,
    variants: Annotated[str, typer.Option("--variants", metavar="NAME,..", help="Forms of the decoder; default all.")] = "",
    kinds: Annotated[str, typer.Option("--kinds", metavar="NAME,..", help="Kinds of scene: usual, wide, narrow.")] = "usual,wide",
    seeds: Annotated[str, typer.Option("--seeds", metavar="N,..", help="Seeds of a run.")] = "1,2,3",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the training scenes.")] = None,
    train: Annotated[int | None, typer.Option("--train", help="Training scenes.")] = None,
    test: Annotated[int | None, typer.Option("--test", help="Held-out scenes.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="Side of a scene in pixels, a multiple of 32.")] = None,
    warm_up: Annotated[int | None, typer.Option("--warm-up", help="Epochs of crops for the shared backbone.")] = None,
) -> None:
    """Train every form of the decoder on every kind of scene from every seed; resumes, and repeats no finished run."""
    if context.invoked_subcommand is not None:
        return
    from codesign.study import Results, StudyPlan, runs
    from codesign.study.runner import run_study

    given = {"epochs": epochs, "train": train, "test": test, "size": size, "warm_up": warm_up}
    plan = StudyPlan(**{key: value for key, value in given.items() if value is not None})
    wanted = runs(plan, _names(variants), _names(kinds) or ["usual", "wide"], _numbers(seeds))
    say = console()
    passing = (lambda text: say.print(f"       {text}")) if say.is_terminal else None
    run_study(wanted, out, Results(results), say.print, passing)
    say.print(f"next: codesign study show --results {results}")


@study_app.command("show")
def show_command(
    results: Results_ = RESULTS,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw accuracy and distances.")] = None,
    keep: Annotated[float, typer.Option("--keep", help="Share of the distances that a recommended range keeps.")] = 0.99,
    plan: Annotated[str | None, typer.Option("--plan", help="The budget to show, where the file holds several.")] = None,
    json: Json = None,
) -> None:
    """Tables of the runs so far: accuracy, what bound and rounding cost, distances and the range they recommend."""
    from codesign.errors import UserError
    from codesign.study import Results
    from codesign.study.summary import summary
    from codesign.study.table import main_plan
    from codesign.study.text import report_lines

    every = Results(results).rows()
    rows = main_plan(every, plan)
    if not rows:
        known = ", ".join(dict.fromkeys(row["plan"] for row in every))
        raise UserError(f"{results}: no runs of plan {plan}; it has {known}" if every else f"{results}: no runs; codesign study makes some")
    for line in report_lines(rows, keep):
        console().print(line)
    if plot is not None:
        from codesign.study.plot import save_plot

        save_plot(rows, plot)
        console().print(f"wrote {plot}")
    write_json(json, summary(rows, keep))


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _numbers(text: str) -> list[int]:
    from codesign.errors import UserError

    try:
        return [int(name) for name in _names(text)] or [1]
    except ValueError:
        raise UserError(f"--seeds {text!r}: give whole numbers with commas between") from None

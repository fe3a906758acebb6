# SPDX-License-Identifier: Apache-2.0
"""A whole sweep: networks, their accelerators, the front, its check in RTL. What is in the store is not done again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.sweep.check import beside
from codesign.sweep.hardware import Search, that_fit
from codesign.sweep.networks import Choice, Network, choices
from codesign.sweep.optimise import Explorer
from codesign.sweep.pareto import costs, front, spaced
from codesign.sweep.prepare import Preparation
from codesign.sweep.space import Design, make_space
from codesign.sweep.spec import Executor, SweepSpec
from codesign.sweep.store import Store
from codesign.sweep.task import Task

BASE, PAGE = "sweep.db", "report.html"


class Listener:
    """Hears what a sweep does; this one is silent."""

    def stage(self, text: str) -> None:
        """Something begins."""

    def done(self, kind: str, finished: int, wanted: int) -> None:
        """One more of the tasks of this kind has an answer."""

    def note(self, text: str) -> None:
        """A finding."""


@dataclass(frozen=True)
class SweepResult:
    """The points, those of the front first, and what was searched per network and board."""

    folder: Path
    points: list[dict[str, Any]]
    searches: list[dict[str, Any]]
    seconds: float
    performed: int  #: tasks done in this run; the others were there


def run_sweep(spec: SweepSpec, folder: Path, listener: Listener | None = None, executor: Any = None) -> SweepResult:
    """Run or resume the sweep in ``folder``. Raises `UserError` for what the user has to mend."""
    from codesign.build.artefacts import opened

    with opened(folder):
        store = Store(folder / BASE)
        hands = executor or make_executor(spec.executor)
        try:
            return _Sweep(spec, folder, store, hands, listener or Listener()).run()
        finally:
            hands.close()
            store.close()


def make_executor(wanted: Executor) -> Any:
    """Who does the tasks."""
    if wanted.kind == "ray":
        from codesign.sweep.cluster import RayExecutor

        return RayExecutor(wanted.workers, wanted.address, wanted.gpus)
    from codesign.sweep.local import LocalExecutor

    return LocalExecutor(wanted.workers)


class _Sweep:
    def __init__(self, spec: SweepSpec, folder: Path, store: Store, hands: Any, listener: Listener):
        self._spec, self._folder, self._store, self._hands, self._listener = spec, folder, store, hands, listener
        self._performed = 0
        self._networks: dict[str, Network] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._searches: list[dict[str, Any]] = []

    def run(self) -> SweepResult:
        began = time.monotonic()
        space = make_space(self._spec.hardware)
        self._designs = that_fit(space.designs, self._spec.hardware.fill)
        refused = sum(space.refused.values())
        self._listener.note(
            f"{len(space.designs):,} designs; {len(space.designs) - len(self._designs):,} do not fit their board by the resource estimate"
            + (f"; {refused:,} more combinations cannot be built" if refused else "")
        )
        preparation = Preparation(self._spec, self._folder, self.perform)
        self._explore(preparation)
        points = self._checked(self._marked())
        self._store.put_points(points)
        self._note()
        self._page()
        return SweepResult(self._folder, self._store.points(), self._searches, time.monotonic() - began, self._performed)

    def perform(self, tasks: Sequence[Task]) -> list[dict[str, Any]]:
        """Answers in the order of the tasks; those in the store are not asked for again."""
        answers = {task.key: found for task in tasks if (found := self._store.get(task)) is not None}
        missing = list({task.key: task for task in tasks if task.key not in answers}.values())
        for number, (task, found) in enumerate(self._hands.run(missing), start=1):
            self._store.put(task, found.values, found.seconds)
            answers[task.key] = found.values
            self._performed += 1
            self._listener.done(task.kind, number, len(missing))
        return [answers[task.key] for task in tasks]

    def _explore(self, preparation: Preparation) -> None:
        """Networks in the optimiser's order, each with its accelerators."""
        explorer = Explorer(choices(self._spec), self._spec)
        while batch := explorer.ask():
            where = f"; progress of a training: {self._folder / 'networks'}/NAME/sweep.log" if self._spec.training else ""
            self._listener.stage(f"networks: {', '.join(choice.name for choice in batch)}{where}")
            found = preparation.networks(batch)
            for choice, network in zip(batch, found, strict=True):
                explorer.tell(choice, self._search(network))

    def _search(self, network: Network) -> list[dict[str, Any]]:
        """Points of one network on every board."""
        self._networks[network.name] = network
        accuracy = "" if network.ap50 is None else f", AP50 {network.ap50:.4f}"
        self._listener.note(f"network {network.name}: {network.macs / 1e6:,.0f} million MACs{accuracy}")
        rows: list[dict[str, Any]] = []
        for base in dict.fromkeys(design.base for design in self._designs):
            mine = [design for design in self._designs if design.base == base]
            self._listener.stage(f"{network.name} on {base}: {len(mine):,} designs")
            found = Search(network, mine, self._spec.objectives, self.perform).run(self._spec.hardware.plans, max(self._spec.hardware.replans, self._spec.check.points))
            rows += found.points
            self._searches.append(found.summary)
            self._listener.note(_said(found.summary))
        self._rows[network.name] = rows
        return rows

    def _marked(self) -> list[dict[str, Any]]:
        """All points; ``front`` where no planned point of the same board beats one."""
        every = [point for rows in self._rows.values() for point in rows]
        for board in {point["board"] for point in every}:
            sure = [p for p in every if p["board"] == board and p["front"]]
            for point, on in zip(sure, front(costs(sure, self._spec.objectives)), strict=True):
                point["front"] = bool(on)
        return every

    def _checked(self, points: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The first points of every board's front built in RTL."""
        wanted: list[dict[str, Any]] = []
        for board in sorted({point["board"] for point in points}):
            row = sorted((p for p in points if p["front"] and p["board"] == board), key=lambda p: (p["latency_ms"], p["design"], p["network"]))
            wanted += spaced(row, self._spec.check.points)
        if not wanted:
            return points
        self._listener.stage(f"checking {len(wanted)} points in RTL")
        answers = self.perform([self._check(point) for point in wanted])
        found = {id(point): answer for point, answer in zip(wanted, answers, strict=True)}
        for answer in answers:
            if "refused" in answer:
                self._listener.note(f"check: {answer['refused']}")
        return [beside(p, found[id(p)]) if "refused" not in found.get(id(p), {"refused": 1}) else p for p in points]

    def _check(self, point: dict[str, Any]) -> Task:
        network, spec = self._networks[point["network"]], self._spec
        subject = {"graph": network.sha256, "design": point["design"], "config": network.build[1], "synthesis": spec.check.synthesis}
        out = self._folder / "builds" / f"{point['network']}-{Task('check', subject).key[:10]}"
        return Task("check", subject, {"graph": str(network.graph), "out": str(out)})

    def _page(self) -> None:
        """report.html beside the data base."""
        from codesign.build.artefacts import write_whole
        from codesign.report.html.sweep_page import sweep_page

        write_whole(self._folder / PAGE, sweep_page(self._store, self._spec.text))

    def _note(self) -> None:
        networks = {
            n.name: {"build": list(n.build), "sha256": n.sha256, "ap50": n.ap50, "macs": n.macs} for n in self._networks.values()
        }
        self._store.note("networks", networks)
        self._store.note("searches", self._searches)
        self._store.note("objectives", list(self._spec.objectives))
        self._store.note("sweep", {"name": self._spec.name, "seed": self._spec.seed, "file": self._spec.path, "text": self._spec.text})


def _said(summary: dict[str, Any]) -> str:
    error = summary["screen_error"]
    text = f"{summary['network']} on {summary['board']}: {summary['designs']:,} designs, {summary['planned']} planned"
    if error is None:
        return f"{text}; none can be planned: {'; '.join(summary['refused'])}"
    return f"{text}; estimates of the others are within {error['cycles']:.1%} (rms, left out one by one) of the planner's cycles"


__all__ = ["Choice", "Design", "Listener", "SweepResult", "run_sweep"]

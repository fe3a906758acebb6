# SPDX-License-Identifier: Apache-2.0
"""All runs of a study, one after the other; finished ones are in the results file and are not repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codesign.data.voc import read_classes, read_split
from codesign.study.budget import budget
from codesign.study.plan import STARTS, Run, StudyPlan
from codesign.study.results import Results
from codesign.study.scenes import KINDS, Kind, scene_folder
from codesign.study.training import forget, make_start, one_class, train_run
from codesign.train.batches import SceneCache

Report = Callable[[str], None]


def run_study(wanted: Sequence[Run], folder: Path, results: Results, report: Report, progress: Report | None = None) -> int:
    """Run what is not in `results` yet and append it; the number of runs that were done now.

    `folder` keeps scenes, starts and the checkpoint of an unfinished run. `report` gets a line a run,
    `progress` a line an epoch.
    """
    done = {row["key"] for row in results.rows()}
    todo = [run for run in wanted if run.key not in done]
    if not todo:
        report(f"all {len(wanted)} runs are in {results.path}")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    scenes, plan, say = Scenes(folder, report), todo[0].plan, progress or (lambda _text: None)
    start = start_file(plan, folder)
    for line in budget(todo, len(wanted), scenes(todo[0].kind, plan)[0], start.is_file()):
        report(line)
    make_start(plan, lambda: scenes.labelled(plan), start, say)
    began = time.monotonic()
    for number, run in enumerate(todo, 1):
        row = train_run(run, *scenes(run.kind, plan), start, folder, say)
        assert row is not None
        results.append(row)
        forget(run, folder)
        left = (time.monotonic() - began) / number * (len(todo) - number)
        report(f"[{number}/{len(todo)}] {run.title}: AP50 {row['ap50']:.3f}, {row['seconds']:.0f} s; about {left / 60:.0f} min left")
    return len(todo)


def start_file(plan: StudyPlan, folder: Path) -> Path:
    """The trained plain detector that runs start from."""
    return folder / f"start-{plan.start}.safetensors"


class Scenes:
    """Training and test scenes of a kind, generated where they are not there, kept in memory."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder, self._report = folder, report
        self._kept: dict[str, tuple[SceneCache, SceneCache]] = {}

    def __call__(self, kind: Kind, plan: StudyPlan) -> tuple[SceneCache, SceneCache]:
        if kind.name not in self._kept:
            low, high = (side * plan.size // 256 for side in kind.heights)
            self._report(f"scenes: {kind.title}, digits of {low} to {high} pixels")
            train, test = (one_class(self._labelled(kind, plan, split)) for split in ("train", "test"))
            self._kept[kind.name] = train, test
        return self._kept[kind.name]

    def labelled(self, plan: StudyPlan) -> SceneCache:
        """The training scenes of every kind that the start sees, with the digits' own labels."""
        caches = [self._labelled(KINDS[name], plan, "train") for name in STARTS]
        return SceneCache([s for cache in caches for s in cache.samples], caches[0].classes, caches[0].size)

    def _labelled(self, kind: Kind, plan: StudyPlan, split: str) -> SceneCache:
        where = scene_folder(self._folder, kind, plan.train, plan.test, plan.size)
        names = read_classes(where)
        return SceneCache(read_split(where, split, names), len(names), (plan.size, plan.size))

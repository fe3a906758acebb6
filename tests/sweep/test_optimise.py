# SPDX-License-Identifier: Apache-2.0
"""Which networks are asked for: all, or some that Optuna chooses, the same ones again after a kill."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesign.sweep.networks import choices
from codesign.sweep.optimise import Explorer
from codesign.sweep.spec import load_spec


def _asked(optimiser: str, trials: int | None) -> list[str]:
    spec = load_spec("joint-digits")
    spec = replace(spec, training=replace(spec.training, optimiser=optimiser, trials=trials, batch=3))
    explorer, names = Explorer(choices(spec), spec), []
    while batch := explorer.ask():
        for choice in batch:
            names.append(choice.name)
            wide = choice.values["width"]
            explorer.tell(choice, [{"ap50": 0.5 + wide / 4, "latency_ms": 10 * wide, "area": 0.5}])
    return names


def test_a_grid_is_every_combination_once():
    names = _asked("grid", None)
    assert names == [choice.name for choice in choices(load_spec("joint-digits"))]


@pytest.mark.parametrize("optimiser", ["nsga2", "tpe"])
@pytest.mark.filterwarnings("ignore::UserWarning:optuna.*")
def test_optuna_asks_for_different_networks_and_for_the_same_again(optimiser):
    pytest.importorskip("optuna", reason="skipped: Optuna is not installed (pip install 'codesign[sweep]')")
    names = _asked(optimiser, 10)
    assert len(set(names)) == len(names) == 10
    assert names == _asked(optimiser, 10)

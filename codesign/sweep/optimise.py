# SPDX-License-Identifier: Apache-2.0
"""Which networks are trained: every combination, or those that Optuna chooses by what the ones before reached.

The sampler is seeded and told answers in a fixed order, so a resumed sweep asks for the same networks.
"""

from __future__ import annotations

from typing import Any

from codesign.errors import UserError
from codesign.sweep.networks import Choice
from codesign.sweep.spec import GREATER, SweepSpec

_FIXED = ("ap50", "latency_ms")  #: what networks are chosen by; with less, by what there is


class Explorer:
    """`ask` for networks until there are none, `tell` the points of each."""

    def __init__(self, every: list[Choice], spec: SweepSpec):
        training = spec.training
        self._left, self._every = list(every), every
        self._trials = len(every) if training is None or training.trials is None else min(training.trials, len(every))
        self._batch = len(every) if training is None else training.batch
        self._objectives = [name for name in _FIXED if name in spec.objectives] or [spec.objectives[0]]
        self._study, self._open = None, {}
        if training is not None and training.optimiser != "grid" and self._trials < len(every):
            self._study = _study(training.optimiser, spec.seed, self._objectives)

    def ask(self) -> list[Choice]:
        """The next networks, different from all before."""
        count = min(self._batch, self._trials, len(self._left))
        chosen = [self._next() for _ in range(count)]
        self._trials -= count
        return chosen

    def tell(self, choice: Choice, points: list[dict[str, Any]]) -> None:
        """The network's best value of each objective."""
        if self._study is None or choice.name not in self._open:
            return
        trial = self._open.pop(choice.name)
        best = [_best([p[name] for p in points if p.get(name) is not None], name) for name in self._objectives]
        if any(value is None for value in best):
            self._study.tell(trial, state=_failed())
        else:
            self._study.tell(trial, best)

    def _next(self) -> Choice:
        """Optuna's choice if it is new, else the first one left."""
        chosen, trial = self._left[0], None
        if self._study is not None:
            for _ in range(20):
                trial = self._study.ask()
                values = {key: trial.suggest_categorical(key, options) for key, options in _axes(self._every).items()}
                found = next((c for c in self._left if {k: _text(v) for k, v in c.values.items()} == values), None)
                if found is not None:
                    chosen = found
                    break
                self._study.tell(trial, state=_failed())
                trial = None
        self._left.remove(chosen)
        if trial is not None:
            self._open[chosen.name] = trial
        return chosen


def _axes(every: list[Choice]) -> dict[str, list[str]]:
    """Every key with the values that occur, as text."""
    return {key: list(dict.fromkeys(_text(choice.values[key]) for choice in every)) for key in every[0].values}


def _text(value: Any) -> str:
    return repr(value)


def _best(values: list[float], name: str) -> float | None:
    if not values:
        return None
    return max(values) if name in GREATER else min(values)


def _study(optimiser: str, seed: int, objectives: list[str]) -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError(f"training.optimiser = {optimiser!r} needs Optuna; pip install 'codesign[sweep]', or use \"grid\"") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=8) if optimiser == "nsga2" else optuna.samplers.TPESampler(seed=seed, multivariate=False)
    return optuna.create_study(directions=["maximize" if name in GREATER else "minimize" for name in objectives], sampler=sampler)


def _failed() -> Any:
    import optuna

    return optuna.trial.TrialState.FAIL

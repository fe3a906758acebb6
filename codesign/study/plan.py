# SPDX-License-Identifier: Apache-2.0
"""What a study runs: one recipe for every form, and the list of runs with what identifies each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from codesign.errors import UserError
from codesign.study.scenes import KINDS, SCENE_SEED, Kind
from codesign.study.variant import DECODER, VARIANTS, WIDTH, Variant

SCHEMA = "codesign-study-1"
STARTS = ("usual", "wide")  # kinds of scene that the common start has seen
CLASSES = 1  # a digit: the study is about where and how large, not which
_LIMITS = {"train": (1, 100_000), "test": (1, 100_000), "size": (64, 1024), "epochs": (1, 1000), "warm_up": (0, 1000), "crops": (0, 1000),
           "batch": (1, 1024)}  # fmt: skip


@dataclass(frozen=True)
class StudyPlan:
    """The budget that every run has. The warm-up of a plain detector is done once, for all runs."""

    train: int = 800  # scenes of a kind
    test: int = 200
    size: int = 128  # pixels
    epochs: int = 3
    crops: int = 6  # of the warm-up: epochs of crops of objects, for the backbone alone
    warm_up: int = 8  # over the scenes of every kind in `STARTS`
    batch: int = 16
    lr: float = 3e-3
    warm_lr: float = 3e-3
    offset_lr: float = 1.0  # of the rate: offsets move as fast as anything else

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise UserError(f"study: {name} is {value!r}; it must be a whole number, {least} to {most}")
        if self.size % 32:
            raise UserError(f"study: size is {self.size}; it must be a multiple of 32")
        if not 0 < self.lr <= 1 or not 0 < self.warm_lr <= 1 or not 0 <= self.offset_lr <= 100:
            raise UserError("study: lr and warm_lr must be in 0..1, offset_lr in 0..100")

    @property
    def start(self) -> str:
        """Eight characters: the same for plans whose runs may start from one trained network."""
        mine = {k: v for k, v in asdict(self).items() if k in ("train", "size", "crops", "warm_up", "batch", "warm_lr")}
        return _digest({**self._fixed(), "kinds": STARTS, **mine})[:8]

    @staticmethod
    def _fixed() -> dict[str, object]:
        return {"schema": SCHEMA, "width": WIDTH, "decoder": DECODER, "classes": CLASSES, "scenes": SCENE_SEED}

    @property
    def name(self) -> str:
        """Eight characters: the same for runs that may stand in one table."""
        return _digest({**self._fixed(), **asdict(self)})[:8]


@dataclass(frozen=True)
class Run:
    """One form on one kind of scene from one seed."""

    plan: StudyPlan
    variant: Variant
    kind: Kind
    seed: int

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.variant.name} {self.kind.name} seed {self.seed}"

    @property
    def key(self) -> str:
        """For the results file and the folder of an unfinished run."""
        what = {"plan": self.plan.name, "variant": self.variant.changes, "heights": self.kind.heights, "seed": self.seed}
        return f"{self.variant.name}-{self.kind.name}-{self.seed}-{_digest(what)[:12]}"


def runs(
    plan: StudyPlan, variants: Sequence[str] = (), kinds: Sequence[str] = ("usual", "wide"), seeds: Sequence[int] = (1, 2, 3)
) -> list[Run]:
    """Every combination, seed by seed, so that an early stop leaves whole tables of fewer seeds."""
    for name, known in ((variants, VARIANTS), (kinds, KINDS)):
        for one in name:
            if one not in known:
                raise UserError(f"study: {one!r} is not known; it must be one of {', '.join(known)}")
    for seed in seeds:
        if not 0 <= seed < 2**31:
            raise UserError(f"study: seed is {seed}; it must be 0 to {2**31 - 1}")
    forms = [VARIANTS[name] for name in variants or VARIANTS]
    return [Run(plan, form, KINDS[kind], seed) for seed in seeds for kind in kinds for form in forms]


def _digest(values: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

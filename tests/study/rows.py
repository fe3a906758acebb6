# SPDX-License-Identifier: Apache-2.0
"""Rows as a study writes them, with made-up figures."""

from __future__ import annotations

from typing import Any

from codesign.study.plan import Run, StudyPlan
from codesign.study.scenes import KINDS
from codesign.study.variant import VARIANTS


def row(variant: str, ap50: float, seed: int = 1, kind: str = "usual", **changes: Any) -> dict[str, Any]:
    """One finished run; distances of the deformable forms are mostly 1, a few 3, one in a thousand 7."""
    run = Run(StudyPlan(), VARIANTS[variant], KINDS[kind], seed)
    offsets = {} if variant.startswith("plain") else {"decoder3": [0, 900, 0, 92, 0, 0, 0, 8]}
    values = {
        "key": run.key, "plan": run.plan.name, "variant": variant, "kind": kind, "seed": seed, "ap50": ap50,
        "ap50_by_height": {"small": ap50 / 2, "large": None}, "offsets": offsets, "images_per_s": 100.0, "macs": 30_000_000,
        "settings": {**vars(run.plan), "heights": [24, 104]},
    }  # fmt: skip
    return values | changes

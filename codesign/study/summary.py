# SPDX-License-Identifier: Apache-2.0
"""A study's tables for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from codesign.study.distances import SOURCE, histogram, recommended
from codesign.study.table import Row, accuracy, differences, kinds_of, verdicts


def summary(rows: Sequence[Row], keep: float) -> dict[str, Any]:
    """Plain values: accuracy by form and kind, differences, recommended ranges, verdicts."""
    return {
        "plan": rows[0]["plan"], "settings": rows[0]["settings"], "runs": len(rows),
        "accuracy": {form: {kind: asdict(s) for kind, s in cells.items()} for form, cells in accuracy(rows).items()},
        "differences": [{"question": d.question, "kind": d.kind, **asdict(d.gain), "clear": d.gain.clear} for d in differences(rows)],
        "range": {kind: asdict(recommended(histogram(rows, SOURCE, kind), keep)) for kind in kinds_of(rows)
                  if histogram(rows, SOURCE, kind).sum()},
        "verdicts": verdicts(rows),
    }  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""What makes two runs the same run, as a fingerprint, and by name so that a refusal can say what differs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from codesign.bounded import reason, shown_value
from codesign.nn.config import NetConfig
from codesign.train.recipe import Recipe

_MOST = 3  # differences named
_WIDTH = 40  # characters of a value


@dataclass(frozen=True)
class Identity:
    """`fingerprint` decides; `values` are the same by name, plain JSON."""

    fingerprint: str
    values: dict[str, Any]

    @staticmethod
    def of(config: NetConfig, recipe: Recipe, classes: list[str], pictures: list[str], start: str | None) -> Identity:
        """`pictures`: their names in order; `start`: SHA-256 of the weights started from, None without."""
        parts: list[Any] = [config.to_json(), recipe.identity(), classes, pictures]
        named = _flat(config.to_json()) | _flat(recipe.identity())
        named |= {"labels": classes, "pictures": len(pictures), "names of pictures": _digest(pictures)[:12]}
        if start is not None:
            parts.append(start)
        named["start"] = "none" if start is None else start[:12]
        return Identity(_digest(parts), json.loads(json.dumps(named)))

    def differences(self, other: object) -> str:
        """The first few that are others in `other`, values read from a checkpoint (from anywhere), with both values."""
        if not isinstance(other, dict):
            return ""
        names = [name for name, value in self.values.items() if name not in other or other[name] != value]
        texts = [f"{name} was {_short(other.get(name))}, now {_short(self.values[name])}" for name in names[:_MOST]]
        more = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
        return "; ".join(texts + more)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _short(value: object) -> str:
    return reason(shown_value(value, _WIDTH))

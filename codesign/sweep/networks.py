# SPDX-License-Identifier: Apache-2.0
"""The networks of a sweep: every combination of the file's keys, each a model file, a trained one or one with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from codesign.errors import UserError
from codesign.sweep.spec import SweepSpec

_ORDER = ("config", "width", "resolution", "operator", "bound", "weight_bits", "layer_bits")
_DEFAULTS: dict[str, Any] = {"config": "b", "width": None, "resolution": None, "operator": "square", "bound": None,
                             "weight_bits": 4, "layer_bits": ""}  # fmt: skip
_SHORT = {"width": "x", "resolution": "r", "bound": "n", "weight_bits": "w"}


@dataclass(frozen=True)
class Network:
    """One network ready to be planned: ``graph`` is its file. ``build`` are the arguments of `codesign build` that make it."""

    name: str
    graph: Path
    sha256: str
    macs: int
    ap50: float | None
    build: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """One combination of the file's keys. ``values`` of a network to train or make; ``model`` a file's name instead."""

    name: str
    values: dict[str, Any]
    model: str = ""


def choices(spec: SweepSpec) -> list[Choice]:
    """Every combination, in the order of the file."""
    if "model" in spec.network:
        return [Choice(Path(name).stem, {}, name) for name in spec.network["model"]]
    axes = {key: spec.network.get(key, (_DEFAULTS[key],)) for key in _ORDER}
    rows = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    plain = [row for row in rows if row["operator"] != "plain" or row["bound"] in (None, axes["bound"][0])]
    return [Choice(_name(row, axes), row) for row in plain]  # without the operator, its range makes no difference


def _name(row: dict[str, Any], axes: dict[str, tuple[Any, ...]]) -> str:
    parts = [row["config"]]
    for key in _ORDER[1:]:
        value = row[key]
        if key == "operator":
            parts.append(value)
        elif value is not None and value != "" and not (key == "bound" and row["operator"] == "plain"):
            text = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(_SHORT.get(key, "") + "".join(c if c.isalnum() or c in ".-" else "_" for c in text))
    return "-".join(parts)


def model_path(name: str) -> Path:
    """A model file, or the shipped one of this name. Raises UserError."""
    from codesign.build.options import SHIPPED_MODEL

    path = Path(name)
    shipped = SHIPPED_MODEL.with_name(f"{name}.safetensors")
    found = path if path.is_file() else shipped
    if not found.is_file():
        raise UserError(f"network.model {name!r}: no such file, and no shipped model of this name")
    return found


def build_arguments(choice: Choice, model: Path | None) -> tuple[str, ...]:
    """Arguments of `codesign build` for this network."""
    if model is not None:
        return ("--config", choice.values.get("config", "b"), "--model", choice.model or str(model))
    values = choice.values
    sides = ("--height", str(values["resolution"]), "--width", str(values["resolution"])) if values["resolution"] else ()
    return ("--config", values["config"], *sides, "--weight-bits", str(values["weight_bits"]))

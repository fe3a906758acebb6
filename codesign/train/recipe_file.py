# SPDX-License-Identifier: Apache-2.0
"""Recipes as TOML files: those that come with the package, and a user's own, with settings behind a colon."""

from __future__ import annotations

import math
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from codesign.bounded import read_bytes, reason, shown_value
from codesign.data.augment import Augment
from codesign.errors import UserError
from codesign.train.recipe import Recipe

FOLDER = Path(__file__).resolve().parents[1] / "recipes"
_MAX_BYTES = 64 << 10
_FLOAT_STEPS, _QUANTISED_STEPS = 4000, 300
T = TypeVar("T", Recipe, Augment)


def known_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_recipe(spec: str, images: int | None = None, weight_bits: int = 4) -> Recipe:
    """A recipe by name or .toml file: ``bccd``, ``my.toml``, ``bccd:seed=2,augment.paste=0``.

    Keys are the fields of `Recipe`, in the table ``augment`` those of `Augment`; what is left out keeps its default.
    ``auto`` is the recipe for a folder of so many training `images` and weights of so many bits: as many steps as BCCD's,
    mirrored pictures.
    """
    name, _, settings = spec.partition(":")
    if name == "auto" and images is not None:
        return _with(_automatic(images, weight_bits), settings, spec)
    path = Path(name)
    if path.suffix != ".toml":
        if name not in known_recipes():
            raise UserError(f"unknown recipe {name!r}; known: {', '.join(known_recipes())}; or give a .toml file")
        path = FOLDER / f"{name}.toml"
    return _with(_read(path), settings, spec)


def _automatic(images: int, weight_bits: int) -> dict[str, Any]:
    """BCCD's recipe with about its number of steps, within 12 to 150 float and 4 to 30 quantised epochs."""
    values = _read(FOLDER / ("bccd-w8a8.toml" if weight_bits == 8 else "bccd.toml"))
    values["float_epochs"] = min(150, max(12, round(_FLOAT_STEPS * values["batch"] / images)))
    values["qat_epochs"] = min(30, max(4, round(_QUANTISED_STEPS * values["qat_batch"] / images)))
    values["augment"] |= {"vflip": False, "transpose": False, "paste": 3}
    return values


def _with(values: dict[str, Any], settings: str, spec: str) -> Recipe:
    for setting in filter(None, settings.split(",")):
        _apply(values, setting, spec)
    try:
        augment = _typed(Augment(), values.pop("augment", {}), "augment.")
        return replace(_typed(Recipe(), values, ""), augment=augment)
    except UserError as error:
        raise UserError(f"{spec}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    raw = read_bytes(path, _MAX_BYTES)
    try:
        return tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors
        raise UserError(f"{path}: not a readable recipe ({reason(error, 100)}); correct the file") from None


def _apply(values: dict[str, Any], setting: str, spec: str) -> None:
    """``key=value`` into the tables, the value as TOML writes it; a bare word is text."""
    key, equals, text = setting.partition("=")
    if not equals:
        raise UserError(f"{spec}: {setting!r} is no setting; write key=value, with commas between them")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text
    except ValueError:  # Python refuses to convert very long numbers
        raise UserError(f"{spec[:100]}: the value of {key[:60]!r} is a very long number; shorten it") from None
    table, name = values, key.strip()
    if name.startswith("augment."):
        table, name = values.setdefault("augment", {}), name.removeprefix("augment.")
    if not isinstance(table, dict):
        raise UserError(f"{spec}: augment is not a table")
    table[name] = value


def _typed(default: T, values: dict[str, Any], prefix: str) -> T:
    """`default` with these fields replaced; each must have the type of its default (a whole number serves as real)."""
    if not isinstance(values, dict):
        raise UserError(f"{prefix.rstrip('.')} is not a table")
    known = {f.name: getattr(default, f.name) for f in fields(default) if f.name != "augment"}
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"unknown key {(prefix + name)[:60]!r}; known: {', '.join(known)}")
        checked[name] = _value(prefix + name, known[name], value)
    return replace(default, **checked)


def _value(name: str, like: object, value: object) -> object:
    if isinstance(like, float) and _number(value):
        return float(value)  # type: ignore[arg-type]
    if isinstance(like, tuple):
        if isinstance(value, list) and len(value) == len(like) and all(map(_number, value)):
            return tuple(float(v) for v in value)
        raise UserError(f"{name} is {shown_value(value)}; it must be {len(like)} numbers")
    if type(value) is not type(like) or type(value) is float or (type(value) is int and not _number(value)):
        raise UserError(f"{name} is {shown_value(value)}; it must be of type {type(like).__name__}, like {like!r}")
    return value


def _number(value: object) -> bool:
    """Whether this is a finite number that no arithmetic here overflows with."""
    return type(value) in (int, float) and abs(value) < 1 << 53 and math.isfinite(value)  # type: ignore[arg-type, operator]

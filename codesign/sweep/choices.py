# SPDX-License-Identifier: Apache-2.0
"""What the keys of a sweep file may say: every value is checked, and a wrong one is named with its rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

MOST_VALUES = 64  #: of one key
_MOST_TEXT = 300


class Bad(Exception):
    """What is wrong with a sweep file; `load_spec` puts its name in front."""


def shown(value: object) -> str:
    """A value for a message, shortened."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out very long numbers
        text = "(a very long number)"
    return text if len(text) <= 60 else f"{text[:57]}..."


def whole(least: int, most: int) -> Callable[[str, object], Any]:
    """A rule: a whole number in a range."""

    def check(key: str, value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Bad(f"{key} = {shown(value)}: must be a whole number, {least} to {most}")
        return value

    return check


def real(least: float, most: float) -> Callable[[str, object], Any]:
    """A rule: a number in a range."""

    def check(key: str, value: object) -> float:
        number = type(value) in (int, float) and (type(value) is float or abs(value) < 1 << 53)  # type: ignore[arg-type]
        if not number or not math.isfinite(value) or not least <= value <= most:  # type: ignore[arg-type,operator]
            raise Bad(f"{key} = {shown(value)}: must be a number, {least:g} to {most:g}")
        return float(value)  # type: ignore[arg-type]

    return check


def one_of(*allowed: object) -> Callable[[str, object], Any]:
    """A rule: one of these values."""

    def check(key: str, value: object) -> object:
        if not any(type(value) is type(each) and value == each for each in allowed):
            raise Bad(f"{key} = {shown(value)}: must be one of {', '.join(map(str, allowed))}")
        return value

    return check


def text(key: str, value: object) -> str:
    """A rule: a line of printable text."""
    if not isinstance(value, str) or not value.isprintable() or not len(value) <= _MOST_TEXT:
        raise Bad(f"{key} = {shown(value)}: must be printable text of at most {_MOST_TEXT} characters")
    return value


def name(key: str, value: object) -> str:
    """A rule: what can name a folder."""
    if not isinstance(value, str) or not 0 < len(value) <= 60 or not all(c.isascii() and (c.isalnum() or c in "-_") for c in value):
        raise Bad(f"{key} = {shown(value)}: must be letters, digits, - and _, at most 60")
    return value


def flag(key: str, value: object) -> bool:
    """A rule: true or false."""
    if type(value) is not bool:
        raise Bad(f"{key} = {shown(value)}: must be true or false")
    return value


def several(rule: Callable[[str, object], Any]) -> Callable[[str, object], Any]:
    """A rule: a value or a list of different ones; the answer is a tuple."""

    def check(key: str, value: object) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        if not 0 < len(values) <= MOST_VALUES:
            raise Bad(f"{key}: has {len(values)} values; it must have 1 to {MOST_VALUES}")
        checked = tuple(rule(key, each) for each in values)
        if len(set(checked)) != len(checked):
            raise Bad(f"{key} = {shown(value)}: a value stands there twice; remove one")
        return checked

    return check


def table(where: str, given: object, rules: Mapping[str, Callable[[str, object], Any]]) -> dict[str, Any]:
    """A table with every value checked. Raises `Bad` for a key that no rule knows."""
    if not isinstance(given, dict):
        raise Bad(f"{where} = {shown(given)}: must be a table")
    for key in given:
        if key not in rules:
            raise Bad(f"unknown key {where}.{shown(key)[1:-1]}; known: {', '.join(rules)}")
    return {key: rules[key](f"{where}.{key}", value) for key, value in given.items()}

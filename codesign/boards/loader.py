# SPDX-License-Identifier: Apache-2.0
"""Reads board files. Every key is checked."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from codesign.boards.tables import Board, Device, Dram, Ecp5, Vivado
from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig

FOLDER = Path(__file__).resolve().parents[2] / "boards"
MAX_FILE_BYTES = 64 * 1024
FAMILIES = ("xc7", "xcup", "ecp5")
TEMPLATES = ("zynq7", "zynqmp")

_Rule = tuple[type, float, float]  # type, least, greatest; for text the greatest length
_TEXT: _Rule = (str, 1, 80)
_DEVICE: dict[str, _Rule] = {
    "part": _TEXT,
    "family": _TEXT,
    "lut": (int, 1, 10_000_000),
    "ff": (int, 1, 20_000_000),
    "dsp": (int, 0, 100_000),
    "bram36": (int, 1, 100_000),
}
_CLOCK: dict[str, _Rule] = {"mhz": (float, 1, 1000)}
_DRAM: dict[str, _Rule] = {
    "ports": (int, 1, 2),
    "port_bytes_per_cycle": (int, 8, 8),
    "bytes_per_cycle": (int, 1, 64),
    "latency_cycles": (int, 1, 1000),
    "burst_beats": (int, 16, 16),
    "outstanding": (int, 8, 64),
}
_VIVADO: dict[str, _Rule] = {
    "template": _TEXT,
    "board_part": _TEXT,
    "control_address": (int, 0, (1 << 40) - 4096),
    "control_bytes": (int, 4096, 1 << 20),
    "memory_bytes": (int, 1 << 20, 1 << 31),
}
_ECP5: dict[str, _Rule] = {
    "oscillator_mhz": (float, 1, 1000),
    **{name: (str, 1, 40) for name in ("clock", "button", "leds")},
    "high": (str, 0, 40),
}
_CONSTRAINTS: dict[str, _Rule] = {"file": _TEXT}
_ACCELERATOR: dict[str, _Rule] = {field.name: (int, 1, 1 << 20) for field in fields(AcceleratorConfig)}
_TABLES = {"device": _DEVICE, "clock": _CLOCK, "dram": _DRAM, "accelerator": _ACCELERATOR}
_OPTIONAL = {"vivado": _VIVADO, "ecp5": _ECP5, "constraints": _CONSTRAINTS}  #: tables a board may lack


def known_boards() -> tuple[str, ...]:
    """Names of the boards that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or by the path of its file (ends in .toml). Wrong input raises `UserError`.

    Settings may follow behind a colon: ``pynq-z2:array_out=32,latency_cycles=80`` is that board with these values of
    its tables ``accelerator``, ``dram`` or ``clock``; its name says so.
    """
    spec, settings = _parted(str(name_or_path))
    path = Path(spec)
    if "\0" in str(path):
        raise UserError(f"board {str(path)[:60]!r}: a path cannot hold a NUL character; give a name or a .toml file")
    if path.suffix != ".toml":
        if spec not in known_boards():
            known = ", ".join(known_boards())
            raise UserError(f"unknown board {spec!r}; known: {known}; or give the path of a .toml file")
        path = FOLDER / f"{spec}.toml"
    try:
        board = _board(path, _changed(_read(path), settings))
        return replace(board, settings=",".join(settings))
    except _Bad as error:
        raise UserError(f"{path}: {error}") from error


def _parted(text: str) -> tuple[str, list[str]]:
    """The board and its settings; a file's own name may hold a colon."""
    if Path(text).suffix == ".toml":
        return text, []
    spec, colon, settings = text.rpartition(":")
    return (spec, settings.split(",")) if colon else (text, [])


def _changed(raw: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """The file's content with ``key=value`` settings in the table that knows the key."""
    for setting in settings:
        key, _, value = setting.partition("=")
        tables = [name for name in ("accelerator", "dram", "clock") if key in _TABLES[name]]
        if not tables:
            known = ", ".join(key for name in ("accelerator", "dram", "clock") for key in _TABLES[name])
            raise _Bad(f"unknown setting {_shown(key)[1:-1]}; known: {known}")
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise _Bad(f"setting {key} = {_shown(value)}: must be a whole number of at most nine digits, without a sign")
        table = raw.setdefault(tables[0], {})
        if isinstance(table, dict):
            table[key] = int(value)
        if isinstance(raw.get("name"), str):
            raw["name"] += f"-{key}{value}"
    if isinstance(raw.get("name"), str) and settings and len(raw["name"]) > _TEXT[2]:
        digest = hashlib.sha256(raw["name"].encode()).hexdigest()[:10]
        raw["name"] = f"{raw['name'][:48].rstrip('-')}-{digest}"  # it names a folder
    return raw


class _Bad(Exception):
    """What is wrong with a file; `load_board` puts the file's name in front."""


def _read(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as handle:
            raw = handle.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _Bad(f"cannot be read: {error.strerror}; give the path of a board's .toml file") from error
    if len(raw) > MAX_FILE_BYTES:
        raise _Bad(f"larger than {MAX_FILE_BYTES} bytes: not a board file; give the path of one")
    try:
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Bad(f"not valid TOML: {error}; correct the file") from error
    except ValueError as error:  # Python refuses to convert very long numbers
        raise _Bad(f"not valid TOML: a number of more than {sys.get_int_max_str_digits()} digits; shorten it") from error


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out very long numbers
        text = "(a very long number)"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _checked(key: str, value: object, rule: _Rule) -> Any:
    kind, least, greatest = rule
    if kind is float and type(value) is int and abs(value) < 1 << 53:
        value = float(value)
    if type(value) is not kind:
        wanted = {int: "a whole number", float: "a number", str: "text"}[kind]
        raise _Bad(f"{key} = {_shown(value)}: must be {wanted}")
    size = len(value) if isinstance(value, str) else value
    if not least <= size <= greatest:  # type: ignore[operator]  # (NaN is refused here too)
        what = "length must be" if kind is str else "must be"
        span = f"{least}" if least == greatest else f"{least}..{greatest}"
        raise _Bad(f"{key} = {_shown(value)}: {what} {span}")
    if isinstance(value, str) and not value.isprintable():
        raise _Bad(f"{key} = {_shown(value)}: must be printable")
    return value


def _table(where: str, given: object, rules: Mapping[str, _Rule], optional: bool = False) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _Bad(
            f"{where} = {_shown(given)}: must be a table" if given is not None else f"[{where}] is missing"
        )
    for key in given:
        if key not in rules:
            raise _Bad(f"unknown key {where}.{_shown(key)[1:-1]}; known: {', '.join(rules)}")
    missing = [key for key in rules if key not in given]
    if missing and not optional:
        raise _Bad(f"key {where}.{missing[0]} is missing")
    return {key: _checked(f"{where}.{key}", value, rules[key]) for key, value in given.items()}


def _board(path: Path, raw: dict[str, Any]) -> Board:
    for key in raw:
        if key not in (known := ("name", "title", *_TABLES, *_OPTIONAL)):
            raise _Bad(f"unknown key {_shown(key)[1:-1]}; known: {', '.join(known)}")
    for key in ("name", "title"):
        if key not in raw:
            raise _Bad(f"key {key} is missing")
        _checked(key, raw[key], _TEXT)
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in raw["name"]):
        raise _Bad(f"name = {_shown(raw['name'])}: letters, digits, - and _ only (it names a folder)")
    tables = {key: _table(key, raw.get(key), rules, key == "accelerator") for key, rules in _TABLES.items()}
    if tables["device"]["family"] not in FAMILIES:
        family = _shown(tables["device"]["family"])
        raise _Bad(f"device.family = {family}: must be one of {', '.join(FAMILIES)}")
    accelerator, dram = _accelerator(tables["accelerator"]), Dram(**tables["dram"])
    if accelerator.memory_ports > dram.ports:
        raise _Bad(f"accelerator.memory_ports = {accelerator.memory_ports}: dram.ports is {dram.ports}; set both alike")
    return Board(
        name=raw["name"],
        title=raw["title"],
        device=Device(**tables["device"]),
        clock_mhz=tables["clock"]["mhz"],
        dram=dram,
        accelerator=accelerator,
        path=path,
        vivado=_vivado(raw),
        ecp5=_ecp5(raw),
        constraints=_constraints(path, raw),
    )


def _vivado(raw: dict[str, Any]) -> Vivado | None:
    if "vivado" not in raw:
        return None
    vivado = Vivado(**_table("vivado", raw["vivado"], _VIVADO))
    if vivado.template not in TEMPLATES:
        raise _Bad(f"vivado.template = {_shown(vivado.template)}: must be one of {', '.join(TEMPLATES)}")
    if vivado.control_bytes & (vivado.control_bytes - 1) or vivado.control_address % vivado.control_bytes:
        raise _Bad("vivado.control_bytes: must be a power of two, and vivado.control_address a multiple of it")
    if not all(c.isascii() and (c.isalnum() or c in "-_.:") for c in vivado.board_part):
        raise _Bad(f"vivado.board_part = {_shown(vivado.board_part)}: letters, digits, - _ . and : only")
    return vivado


def _ecp5(raw: dict[str, Any]) -> Ecp5 | None:
    if "ecp5" not in raw:
        return None
    if raw["device"]["family"] != "ecp5":
        raise _Bad(f"[ecp5] is for device.family = 'ecp5', not {_shown(raw['device']['family'])}")
    pins = Ecp5(**_table("ecp5", raw["ecp5"], _ECP5))
    named = [name for name in (pins.clock, pins.button, pins.leds, pins.high) if name]
    for name in named:
        if not (name.isascii() and name.isidentifier()):
            raise _Bad(f"ecp5: {_shown(name)} is no pin's name: letters, digits and _ only")
    if len(set(named)) < len(named):
        raise _Bad("ecp5: two pins have one name")
    return pins


def _constraints(path: Path, raw: dict[str, Any]) -> Path | None:
    if "constraints" not in raw:
        return None
    name = _table("constraints", raw["constraints"], _CONSTRAINTS)["file"]
    plain = all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)
    found = [folder / name for folder in (path.parent, FOLDER) if plain and (folder / name).is_file()]
    if not found:
        raise _Bad(f"constraints.file = {_shown(name)}: must be the name of a file beside the board's, or of one that comes with it")
    return found[0]


def _accelerator(values: dict[str, int]) -> AcceleratorConfig:
    try:
        return AcceleratorConfig(**values)
    except UserError as error:
        raise _Bad(str(error)) from error

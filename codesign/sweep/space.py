# SPDX-License-Identifier: Apache-2.0
"""The accelerators of a sweep: every combination of settings that can be built, as a board's name with settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from codesign.boards import Board, load_board
from codesign.errors import UserError
from codesign.sweep.spec import Hardware


@dataclass(frozen=True)
class Design:
    """One accelerator on one board: ``spec`` is what ``--board`` takes, ``base`` the board's name."""

    spec: str
    base: str
    board: Board


@dataclass(frozen=True)
class Space:
    """Designs that can be built, and how many combinations cannot, by reason."""

    designs: tuple[Design, ...]
    refused: dict[str, int]


def make_space(hardware: Hardware) -> Space:
    """Every combination, in the order of the file. Raises `UserError` where none can be built."""
    designs, refused = [], {}
    for base in hardware.boards:
        plain = load_board(base)
        for values in product(*hardware.axes.values()):
            settings = dict(zip(hardware.axes, values, strict=True))
            try:
                designs.append(make_design(base, plain, settings))
            except UserError as error:
                reason = str(error).rpartition(": ")[2]
                refused[reason] = refused.get(reason, 0) + 1
    if not designs:
        raise UserError(f"hardware: no combination can be built ({next(iter(refused), 'no boards')})")
    if len({design.spec for design in designs}) != len(designs):
        raise UserError("hardware.boards: two of them are the same board; remove one")
    return Space(tuple(designs), refused)


def make_design(base: str, plain: Board, settings: dict[str, int]) -> Design:
    """The board with these settings. Another clock leaves the memory as fast as it is: latency and bytes a cycle follow."""
    settings = dict(settings)
    clock = settings.get("mhz", plain.clock_mhz)
    if clock != plain.clock_mhz:
        faster = clock / plain.clock_mhz
        settings["latency_cycles"] = max(1, round(plain.dram.latency_cycles * faster))
        settings["bytes_per_cycle"] = max(1, min(64, int(plain.dram.bytes_per_cycle / faster)))
    changed = {key: value for key, value in settings.items() if value != _present(plain, key)}
    text = ",".join(f"{key}={value}" for key, value in changed.items())
    spec = base if not text else f"{base}{',' if plain.settings else ':'}{text}"
    return Design(spec, plain.name, _changed(plain, changed))


def _present(board: Board, key: str) -> float:
    if key == "mhz":
        return board.clock_mhz
    return getattr(board.dram if hasattr(board.dram, key) else board.accelerator, key)


def _changed(board: Board, settings: dict[str, int]) -> Board:
    """What `load_board` makes of the settings, without reading the file again."""
    dram = {key: value for key, value in settings.items() if hasattr(board.dram, key)}
    rest = {key: value for key, value in settings.items() if key not in dram and key != "mhz"}
    accelerator = replace(board.accelerator, **rest)
    if accelerator.memory_ports > board.dram.ports:
        raise UserError(f"memory_ports = {accelerator.memory_ports}: dram.ports is {board.dram.ports}")
    clock = float(settings.get("mhz", board.clock_mhz))
    return replace(board, accelerator=accelerator, dram=replace(board.dram, **dram), clock_mhz=clock)

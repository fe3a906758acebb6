# SPDX-License-Identifier: Apache-2.0
"""Many injections of every kind, kept line by line; an interrupted campaign goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codesign.build.artefacts import source_hash
from codesign.errors import UserError
from codesign.faults.injections import KINDS
from codesign.faults.room import Room
from codesign.faults.trial import Result, trial
from codesign.faults.victims import COUNT, USED, victims
from codesign.fuzz.machines import MACHINES, library
from codesign.json_lines import JsonLines

SOURCES = ("hw", "sim", "codesign/program", "codesign/plan", "codesign/golden", "codesign/graph", "codesign/lower",
           "codesign/numeric.py", "codesign/fuzz", "codesign/faults", "codesign/runtime", "codesign/virtual")  # fmt: skip
MAX_BYTES = 1 << 28
ROOMS = COUNT * len(USED)


def campaign(
    each: int, path: Path, log: Callable[[str], None] = lambda _: None, progress: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """``each`` injections of every kind into the victims in turns. Results are in ``path``, those there already are kept;
    `UserError` where it is another campaign's file."""
    file = JsonLines(path, "name another file with --journal", MAX_BYTES)
    results = _opened(file, source_hash(*SOURCES))
    done = {(r.kind, r.number) for r in results}
    for turn, machine in enumerate(USED):
        todo = [(k, n) for k in KINDS for n in range(each) if (k, n) not in done and n % ROOMS // COUNT == turn]
        if not todo:
            continue
        built = library(MACHINES[machine], None, log)
        for place, victim in enumerate(victims(machine)):
            room = Room(built, victim, victim.seed)
            log(f"network {victim.seed}: {len(victim.graph.nodes)} layers, {len(victim.program.instructions)} instructions, {room.cycles} cycles")
            for kind, number in [(k, n) for k, n in todo if n % COUNT == place]:
                result = trial(room, kind, number)
                file.append(asdict(result))
                results.append(result)
                progress(result)
                if not result.recovered:
                    room.close()
                    room = Room(built, victim, victim.seed)
            room.close()
    return [r for r in results if r.number < each]


def _opened(file: JsonLines, sources: str) -> list[Result]:
    """The results in ``file``, which is begun where there is none."""
    head = {"schema": 1, "sources": sources}
    first, *lines = file.read() or [None]
    if first is None:
        file.append(head)
    elif first != head:
        raise UserError(f"{file.path} holds results of other sources than these; name another file with --journal")
    try:
        return [_result(line) for line in lines]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{file.path} is no journal of `codesign faults`: {error}; name another file with --journal") from error


def _result(line: dict[str, Any]) -> Result:
    result = Result(**line)
    if result.kind not in KINDS or type(result.number) is not int:
        raise ValueError(f"no such injection {result.kind!r} {result.number!r}")
    return result

# SPDX-License-Identifier: Apache-2.0
"""Many injections of every kind, kept line by line; an interrupted campaign goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codesign.build.artefacts import source_hash, write_whole
from codesign.errors import UserError
from codesign.faults.injections import KINDS
from codesign.faults.room import Room
from codesign.faults.trial import Result, trial
from codesign.faults.victims import COUNT, USED, victims
from codesign.fuzz.machines import MACHINES, library

SOURCES = ("hw", "sim", "codesign/program", "codesign/plan", "codesign/golden", "codesign/graph", "codesign/lower",
           "codesign/numeric.py", "codesign/fuzz", "codesign/faults", "codesign/runtime", "codesign/virtual")  # fmt: skip
MAX_BYTES = 1 << 28
ROOMS = COUNT * len(USED)


def campaign(
    each: int, path: Path, log: Callable[[str], None] = lambda _: None, progress: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """``each`` injections of every kind into the victims in turns. Results are in ``path``, those there already are kept;
    `UserError` where it is another campaign's file."""
    results = _opened(path, source_hash(*SOURCES))
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
                _keep(path, asdict(result))
                results.append(result)
                progress(result)
                if not result.recovered:
                    room.close()
                    room = Room(built, victim, victim.seed)
            room.close()
    return [r for r in results if r.number < each]


def _opened(path: Path, sources: str) -> list[Result]:
    """The results in ``path``, which is begun where there is none."""
    head = {"schema": 1, "sources": sources}
    if not path.exists():
        write_whole(path, json.dumps(head) + "\n")
        return []
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} has more than {MAX_BYTES} bytes; name another file with --journal")
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]  # a line that was being written when the campaign was killed
    try:
        first, *lines = [json.loads(line) for line in whole.splitlines()]
        same, results = first["schema"] == 1 and first["sources"] == sources, [_result(line) for line in lines]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is no journal of `codesign faults`: {error}; name another file with --journal") from error
    if not same:
        raise UserError(f"{path} holds results of other sources than these; name another file with --journal")
    if raw != whole:
        os.truncate(path, len(whole))
    return results


def _result(line: dict[str, Any]) -> Result:
    result = Result(**line)
    if result.kind not in KINDS or type(result.number) is not int:
        raise ValueError(f"no such injection {result.kind!r} {result.number!r}")
    return result


def _keep(path: Path, entry: dict[str, Any]) -> None:
    with path.open("ab") as file:
        file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

# SPDX-License-Identifier: Apache-2.0
"""Results and logs that commands resume from.

Sound files, small, and the readers that commands use on them. Imports are where they are needed: a process reads some kinds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def study_results(folder: Path) -> Path:
    from codesign.study.results import Results

    for seed in (1, 2):
        row = {"key": f"k{seed}", "plan": "p", "variant": "square", "kind": "all", "seed": seed, "ap50": 0.5, "offsets": {}}
        Results(folder / "results.jsonl").append(row)
    return folder / "results.jsonl"


def read_study_results(path: Path) -> None:
    from codesign.study.results import Results

    Results(path).rows()


def training_log(folder: Path) -> Path:
    from codesign.train import journal

    for epoch in (1, 2):
        journal.append(folder, {"epoch": epoch, "stage": "float", "loss": 1.5, "rate": 0.01, "seconds": 9.5, "ap50": 0.3})
    return folder / "log.csv"


def read_training_log(path: Path) -> None:
    from codesign.train import journal

    if path.exists():
        journal.plot(path.parent)
    journal.append(path.parent, {"epoch": 3, "stage": "float", "loss": 1.5})


def fuzz_case(folder: Path) -> Path:
    from codesign.fuzz.case import drawn

    (folder / "case.json").write_text(json.dumps(drawn("layer", 7).document("seven")))
    return folder / "case.json"


def read_fuzz_case(path: Path) -> None:
    from codesign.fuzz.case import read

    read(path)


def fuzz_journal(folder: Path) -> Path:
    from codesign.fuzz.journal import Journal

    Journal(folder / "journal", "s")
    entry = {"kind": "layer", "seed": 1, "machine": 1, "status": "refused", "nodes": 1, "values": 9, "cycles": 9, "seconds": 0.5}
    with (folder / "journal").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    return folder / "journal"


def read_fuzz_journal(path: Path) -> None:
    from codesign.fuzz.journal import Journal

    Journal(path, "s")


def _bench_store(folder: Path) -> Any:
    import codesign.bench.rows as rows
    from codesign.boards import load_board

    rows.runtime_version = lambda: ""
    return rows.RowStore(folder, load_board("pynq-z2"))


def bench_row(folder: Path) -> Path:
    from dataclasses import fields

    from codesign.bench.measurement import Row
    from codesign.build.options import BuildOptions

    values: dict[str, Any] = {f.name: {"str": "x", "int": 1, "float": 1.0, "bool": False}.get(str(f.type), 1) for f in fields(Row)}
    _bench_store(folder).put(BuildOptions("pynq-z2"), Row(**(values | {"input": (256, 256)})))
    return folder / "pynq-z2-b.json"


def read_bench_row(path: Path) -> None:
    from codesign.build.options import BuildOptions

    _bench_store(path.parent).get(BuildOptions("pynq-z2"))


def _timing_store(folder: Path) -> Any:
    from codesign.boards import load_board
    from codesign.timing.rows import RowStore

    return RowStore(folder, load_board("pynq-z2"), 1)


def timing_row(folder: Path) -> Path:
    from codesign.timing.rows import Row

    (folder / "load").mkdir()
    _timing_store(folder).put(Row("load", 9, 9), "module")
    return folder / "load" / "row.json"


def read_timing_row(path: Path) -> None:
    _timing_store(path.parents[1]).get("load")


def sensitivity_results(folder: Path) -> Path:
    from codesign.quantise.sensitivity import Results, Row

    Results(folder / "results.jsonl", {"model": "m"}).add(Row("stem", 0.5, 0.1, 9))
    return folder / "results.jsonl"


def read_sensitivity_results(path: Path) -> None:
    from codesign.quantise.sensitivity import Results

    Results(path, {"model": "m"})

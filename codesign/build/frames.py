# SPDX-License-Identifier: Apache-2.0
"""Many pictures through the RTL: worker processes share them, every finished picture is a file, so a killed run resumes.

The folder ``frames/KEY/`` of the build holds a file per picture; KEY stands for program, simulator, memory and the
package's code, so that what is found there is what would be computed again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.bounded import read_json
from codesign.build.artefacts import file_hash, json_text, opened, source_hash, text_hash, write_whole
from codesign.build.children import Child
from codesign.build.step import GRAPH, PROGRAM, Context
from codesign.decode import Detections
from codesign.errors import UserError

JOB = "job.json"
POLL_SECONDS = 0.2
SOURCES = ("sim", "hw", "codesign/verify", "codesign/golden", "codesign/plan", "codesign/program", "codesign/decode.py",
           "codesign/numeric.py", "codesign/build/frame_worker.py", "codesign/build/pictures.py", "codesign/data")  # fmt: skip


@dataclass(frozen=True)
class FrameResult:
    """One picture: boxes [n, 4] in its own pixels, from the RTL and from golden, and how many of ``values`` differ."""

    rtl: Detections
    golden: Detections
    values: int
    mismatches: int
    first: str
    cycles: int


class FramePool:
    """The pictures' results; `run` computes those that are missing, ``jobs`` at a time."""

    def __init__(self, context: Context, pictures: Sequence[Path], jobs: int):
        if jobs < 1:
            raise UserError(f"--jobs {jobs}: must be at least 1")
        self._context, self.jobs = context, jobs
        self.folder = context.path("frames") / _key(context)
        self._files = [self.folder / f"{file_hash(path)[:24]}.json" for path in pictures]
        self._pictures = dict(zip(self._files, pictures, strict=True))  # the same picture twice is computed once

    def done(self) -> int:
        """How many pictures have a result."""
        return sum(file.exists() for file in self._files)

    def results(self) -> list[FrameResult | None]:
        """In the pictures' order; None for those that are missing."""
        return [_read(file) if file.exists() else None for file in self._files]

    def run(self, report: Callable[[int], None]) -> None:
        """Compute what is missing; ``report`` hears how many are done. Raises `UserError` where a worker fails."""
        with opened(self.folder):
            self._drop_unreadable()
            todo = [(str(path), file.name) for file, path in self._pictures.items() if not file.exists()]
            if not todo:
                return
            self._write_job(todo)
            with self._workers(min(self.jobs, len(todo))) as workers:
                while _working(workers):
                    report(self.done())
                    time.sleep(POLL_SECONDS)
            report(self.done())

    def _drop_unreadable(self) -> None:
        for file in self._pictures:
            if file.exists():
                try:
                    _read(file)
                except (UserError, ValueError, KeyError, TypeError):
                    file.unlink()
        for partial in self.folder.glob(".*.json.*"):  # of a worker that was killed
            partial.unlink(missing_ok=True)

    def _write_job(self, todo: list[tuple[str, str]]) -> None:
        board, folder = self._context.board.spec, self._context.folder
        job = {"board": board, "folder": str(folder.resolve()), "pictures": todo}
        write_whole(self.folder / JOB, json_text(job))

    @contextmanager
    def _workers(self, count: int) -> Iterator[list[Child]]:
        """Processes that end with this block."""
        threads = max(1, (os.cpu_count() or 1) // count)
        limit = [f"{name}_NUM_THREADS={threads}" for name in ("OMP", "OPENBLAS", "MKL")]
        command = ["env", *limit, sys.executable, "-m", "codesign.build.frame_worker", str((self.folder / JOB).resolve())]
        with ExitStack() as stack:
            workers = []
            for number in range(count):
                child = Child([*command, str(number), str(count)], self.folder / f"worker-{number}.log")
                stack.callback(child.end)
                workers.append(child)
            yield workers


def _working(workers: list[Child]) -> bool:
    """Whether any is at work; one that failed is an error."""
    codes = [worker.wait(0) for worker in workers]
    for worker, code in zip(workers, codes, strict=True):
        if code:
            raise UserError(f"simulating a picture failed: {worker.last_line()}; see {worker.log}")
    return any(code is None for code in codes)


def _key(context: Context) -> str:
    library = context.path("simulator/libsim.so").resolve().parent.name
    parts = (context.hash(GRAPH), context.hash(PROGRAM), library, context.board.accelerator, context.board.dram)
    return text_hash(*parts, source_hash(*SOURCES))[:16]


def write_result(path: Path, result: FrameResult) -> None:
    """Whole or not at all."""
    document = asdict(result)
    for on in ("rtl", "golden"):
        document[on] = {name: values.tolist() for name, values in document[on].items()}
    write_whole(path, json_text(document))


def _read(path: Path) -> FrameResult:
    document: dict[str, Any] = read_json(path)
    for on in ("rtl", "golden"):
        found = document[on]
        document[on] = Detections(
            np.array(found["boxes"], np.float64).reshape(-1, 4),
            np.array(found["scores"], np.float64),
            np.array(found["labels"], np.int64),
        )
    return FrameResult(**document)

# SPDX-License-Identifier: Apache-2.0
"""Tasks in processes of this machine. A process that dies takes its task back to the queue; the others work on."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from codesign.errors import UserError
from codesign.sweep.task import Task
from codesign.sweep.work import Answer, answer

TRIES = 3  #: of a task whose process died


class LocalExecutor:
    """``workers`` processes, started when first needed; each ends with this process."""

    def __init__(self, workers: int | None = None):
        self.workers = workers or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Answer]]:
        """Every task with its answer, as they come."""
        tries = dict.fromkeys(range(len(tasks)), 0)
        while tries:
            for number in tries:
                tries[number] += 1
                if tries[number] > TRIES:
                    raise UserError(f"sweep: {tasks[number].kind} {tasks[number].key[:12]}: its process died {TRIES} times; see memory and disk")
            waiting = {self._started().submit(answer, tasks[number]): number for number in tries}
            for number, found in _finished(waiting):
                del tries[number]
                yield tasks[number], found
            if tries:
                self.close()

    def close(self) -> None:
        """End the processes; what they are at is lost."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                if process.is_alive():
                    process.terminate()
            for process in processes:
                process.join(5)
            self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # PyTorch's threads do not survive a fork
            self._pool = ProcessPoolExecutor(self.workers, context, _begin, (os.getpid(),))
        return self._pool


def _finished(waiting: dict[Future[Answer], int]) -> Iterator[tuple[int, Answer]]:
    """Numbers and answers; those of a pool that broke are left out."""
    while waiting:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            number = waiting.pop(future)
            try:
                found = future.result()
            except BrokenProcessPool:
                continue
            yield number, found


def _begin(parent: int) -> None:
    """In a worker: one thread, no answer to Ctrl-C of its own, and the end when the parent ends (Linux)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)

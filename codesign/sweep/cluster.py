# SPDX-License-Identifier: Apache-2.0
"""Tasks on a Ray cluster: the one at ``address``, or one started on this machine. A worker that dies is replaced by Ray, and
its task is done again; results come back to the sweep's own file, so nothing needs a shared disk but networks and graphs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from codesign.errors import UserError
from codesign.sweep.task import Task
from codesign.sweep.work import Answer, answer

RETRIES = 3  #: of a task whose worker died
_ENVIRONMENT = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


class RayExecutor:
    """``workers`` tasks at a time (None: as many as the cluster has cores); ``gpus``: what each training asks for."""

    def __init__(self, workers: int | None = None, address: str = "", gpus: float = 0.0):
        for key, value in _ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        self._ray = _ray()
        self._started = not self._ray.is_initialized()
        if self._started:
            self._connect(workers, address)
        self._gpus = gpus

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Answer]]:
        """Every task with its answer, as they come."""
        waiting = {self._remote(task).remote(task): task for task in tasks}
        while waiting:
            done, _ = self._ray.wait(list(waiting), num_returns=1)
            for reference in done:
                task = waiting.pop(reference)
                yield task, self._answer(reference, task)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._started:
            self._ray.shutdown()

    def _connect(self, workers: int | None, address: str) -> None:
        quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address:
                self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            else:
                self._ray.init(num_cpus=workers or len(os.sched_getaffinity(0)), **quiet)
        except Exception as error:  # Ray raises plain ones where a node does not start in time
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"executor: no Ray cluster at {address or 'this machine'} ({reason}); start one with ray start") from None

    def _remote(self, task: Task) -> Any:
        gpus = self._gpus if task.kind == "train" else 0
        return self._ray.remote(answer).options(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, retry_exceptions=False)

    def _answer(self, reference: Any, task: Task) -> Answer:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"sweep: {task.kind} {task.key[:12]}: its Ray worker died {RETRIES + 1} times ({reason}); see memory and disk") from None


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("executor kind ray needs Ray; pip install 'codesign[ray]', or use \"local\"") from None
    return ray

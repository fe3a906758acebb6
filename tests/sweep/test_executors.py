# SPDX-License-Identifier: Apache-2.0
"""Executors: real plans of a tiny network in other processes, one of which is killed on the way."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time

import pytest

from codesign.boards import load_board
from codesign.graph.files import save_graph
from codesign.lower.random_net import random_graph
from codesign.sweep.digest import digest
from codesign.sweep.local import LocalExecutor
from codesign.sweep.task import Task
from codesign.sweep.work import answer

pytestmark = pytest.mark.slow  # processes that import everything


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "t.safetensors"
    save_graph(random_graph("t"), path)
    found = []
    for number in range(10):
        spec = f"pynq-z2:spad_words={4096 + 512 * number}"
        board = load_board(spec)
        subject = {"graph": digest(path), "design": spec, "accelerator": repr(board.accelerator), "dram": repr(board.dram), "policies": "one"}
        found.append(Task("plan", subject, {"graph": str(path)}))
    return found


@pytest.fixture(scope="module")
def expected(tasks):
    return {task.key: answer(task).values for task in tasks}


def test_local_processes_give_the_same_answers_though_one_is_killed(tasks, expected):
    hands = LocalExecutor(2)
    found, killed = {}, False
    for task, got in hands.run(tasks):
        found[task.key] = got.values
        if not killed:
            killed = True
            os.kill(next(iter(hands._pool._processes)), signal.SIGKILL)
    hands.close()
    assert found == expected


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="skipped: Ray is not installed (pip install 'codesign[ray]')")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_ray_cluster_completes_though_a_worker_is_killed(tasks, expected):
    from codesign.sweep.cluster import RayExecutor

    hands = RayExecutor(workers=3)
    try:
        killer = threading.Thread(target=_kill_a_worker)
        killer.start()
        found = {task.key: got.values for task, got in hands.run(tasks * 3)}
        killer.join()
        assert _killed, "no worker was seen"
        assert found == expected
    finally:
        hands.close()


_killed: list[int] = []


def _kill_a_worker() -> None:
    """SIGKILL to the first of this process' Ray workers that is at a task."""
    until = time.monotonic() + 120
    while not _killed and time.monotonic() < until:
        for pid in _descendants(os.getpid()):
            if _title(pid).startswith("ray::answer"):
                os.kill(pid, signal.SIGKILL)
                _killed.append(pid)
                return
        time.sleep(0.02)


def _descendants(root: int) -> list[int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, more = [], [root]
    while more:
        more = [pid for pid, parent in parents.items() if parent in more]
        found += more
    return found


def _title(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""

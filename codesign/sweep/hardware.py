# SPDX-License-Identifier: Apache-2.0
"""Every accelerator of a board for one network: all estimated, those near the front planned in full.

1. Designs that the resource estimate says do not fit are left out.
2. A few designs far from each other are planned; from them `screen` estimates all others.
3. Designs whose estimate, less its error, no planned design beats are planned, and the estimates made again, until there are
   none or ``plans`` are used up.
4. Some of the front are planned as `codesign build` does, by all policies: those that are checked in RTL are among them.

Which designs are planned depends on answers alone, not on their order, so a resumed sweep takes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.graph.files import load_graph
from codesign.graph.ir import Graph
from codesign.sweep.bound import bounds
from codesign.sweep.networks import Network
from codesign.sweep.pareto import costs, front, spaced
from codesign.sweep.points import make_point
from codesign.sweep.resources import Resources, estimate
from codesign.sweep.screen import Screen, features, fit, spread
from codesign.sweep.space import Design
from codesign.sweep.task import Task
from codesign.sweep.work import ACC_BITS

Perform = Callable[[Sequence[Task]], list[dict[str, Any]]]
ANCHORS = 20  #: designs planned before anything is known
BATCH = 8  #: designs planned between two estimates
MARGIN = 2.0  #: standard deviations below an estimate that a design is given the benefit of


@dataclass
class Found:
    """Of one network on one board: points of all designs that fit, and how good the estimates of those not planned are."""

    points: list[dict[str, Any]]
    summary: dict[str, Any]


class Search:
    """The designs of one board and what is known of them."""

    def __init__(self, network: Network, designs: Sequence[Design], objectives: Sequence[str], perform: Perform):
        self._network, self._designs, self._objectives, self._perform = network, list(designs), list(objectives), perform
        self._graph: Graph = load_graph(network.graph, ACC_BITS)
        self._resources = [estimate(design.board) for design in self._designs]
        self._places = features(self._designs)
        self._bounds = bounds(self._graph, self._designs)
        self._answers: dict[int, dict[str, Any]] = {}

    def run(self, plans: int, replans: int) -> Found:
        """At most ``plans`` designs are planned by one policy, and ``replans`` of their front, evenly apart, by all."""
        self._plan(spread(self._places, min(ANCHORS, plans)), "one")
        screens = self._screens()
        while screens is not None and len(self._answers) < plans:
            wanted = self._promising(screens)[: min(BATCH, plans - len(self._answers))]
            if not wanted:
                break
            self._plan(wanted, "one")
            screens = self._screens()
        final: dict[int, dict[str, Any]] = {}
        while missing := [i for i in self._spaced(final, replans) if i not in final]:
            final |= dict(zip(missing, self._ask(missing, "all"), strict=True))
        return self._found(screens, final)

    def _spaced(self, final: dict[int, dict[str, Any]], count: int) -> list[int]:
        """Of the front, the fastest, the smallest and some between."""
        row = sorted(self._front(final), key=lambda i: (self._answers[i]["cycles"] / self._designs[i].board.clock_mhz, i))
        return spaced(row, count)

    def _ask(self, numbers: Sequence[int], policies: str) -> list[dict[str, Any]]:
        return self._perform([self.task(self._designs[i], policies) for i in numbers])

    def task(self, design: Design, policies: str) -> Task:
        """The question how many cycles this design takes."""
        board = design.board
        subject = {"graph": self._network.sha256, "design": design.spec, "accelerator": repr(board.accelerator),
                   "dram": repr(board.dram), "policies": policies}  # fmt: skip
        return Task("plan", subject, {"graph": str(self._network.graph)})

    def _plan(self, numbers: Sequence[int], policies: str) -> None:
        order = sorted(numbers, key=lambda i: (repr(self._places[i, :5]), i))  # equal plans one after the other
        self._answers |= dict(zip(order, self._ask(order, policies), strict=True))

    def _screens(self) -> list[Screen] | None:
        """For cycles and DRAM bytes; None where nothing could be planned."""
        good = [i for i, found in self._answers.items() if "refused" not in found]
        if not good:
            return None
        rows = sorted(good)
        planned = np.array([_measured(self._answers[i]) for i in rows], float)
        return [fit(self._places[rows], self._bounds[rows, k], planned[:, k]) for k in range(2)]

    def _estimates(self, screens: list[Screen]) -> tuple[np.ndarray, np.ndarray]:
        """(designs, 2) cycles and bytes, and their standard deviations in log; planned ones are what was planned."""
        pairs = [screen.estimate(self._places, self._bounds[:, k]) for k, screen in enumerate(screens)]
        values, errors = (np.stack(column, axis=1) for column in zip(*pairs, strict=True))
        for i, found in self._answers.items():
            values[i], errors[i] = (_measured(found), (0, 0)) if "refused" not in found else ((np.inf, np.inf), (0, 0))
        return values, errors

    def _promising(self, screens: list[Screen]) -> list[int]:
        """Designs not yet planned that may be on the front, the best estimates first."""
        values, errors = self._estimates(screens)
        hopeful = self._costs(values * np.exp(-MARGIN * errors))
        known = sorted(self._answers)
        beaten = self._costs(values)[known]
        beaten = beaten[front(beaten)]
        open_ = [i for i in range(len(self._designs)) if i not in self._answers]
        left = [i for i in open_ if not ((beaten <= hopeful[i]).all(axis=1) & (beaten < hopeful[i]).any(axis=1)).any()]
        if not left:
            return []
        best = np.array(left)[front(hopeful[left])]
        return sorted((int(i) for i in best), key=lambda i: (-float(errors[i, 0]), i))

    def _costs(self, values: np.ndarray) -> np.ndarray:
        return costs([self._point(i, *row) for i, row in enumerate(values.tolist())], self._objectives)

    def _point(self, i: int, cycles: float, moved: float) -> dict[str, Any]:
        return make_point(self._network, self._designs[i], self._resources[i], cycles, moved)

    def _front(self, final: dict[int, dict[str, Any]]) -> list[int]:
        """Numbers of the planned designs that no other planned one beats."""
        known = [i for i in sorted(self._answers) if "refused" not in self._answers[i]]
        rows = [self._point(i, *_measured(final.get(i, self._answers[i]))) for i in known]
        mask = front(costs(rows, self._objectives)) if rows else np.zeros(0, bool)
        return [i for i, on in zip(known, mask, strict=True) if on]

    def _found(self, screens: list[Screen] | None, final: dict[int, dict[str, Any]]) -> Found:
        points = []
        if screens is not None:
            values, _ = self._estimates(screens)
            best = set(self._front(final))
            for i, row in enumerate(values.tolist()):
                if i in self._answers and "refused" in self._answers[i]:
                    continue
                fidelity = "planned" if i in final else "planned by one policy" if i in self._answers else "estimated"
                row = _measured(final[i]) if i in final else row
                points.append(self._point(i, *row) | {"fidelity": fidelity, "front": i in best})
        refused = sorted({found["refused"] for found in self._answers.values() if "refused" in found})
        summary = {
            "network": self._network.name, "board": self._designs[0].base, "designs": len(self._designs),
            "planned": len(self._answers), "planned_by_all": len(final), "refused": refused[:4],
            "screen_error": {"cycles": screens[0].error, "dram_bytes": screens[1].error} if screens else None,
        }  # fmt: skip
        return Found(points, summary)


def that_fit(designs: Sequence[Design], fill: float) -> list[Design]:
    """Designs whose estimate takes at most ``fill`` of every resource."""
    return [design for design in designs if _fits(estimate(design.board), design, fill)]


def _fits(found: Resources, design: Design, fill: float) -> bool:
    return all(getattr(found, name) <= fill * getattr(design.board.device, name) for name in ("lut", "ff", "dsp", "bram36"))


def _measured(found: dict[str, Any]) -> tuple[float, float]:
    return found["cycles"], found["read_bytes"] + found["write_bytes"]


def graph_path(folder: Path, name: str) -> Path:
    """Where the lowered graph of a network lies."""
    return folder / "graphs" / f"{name}.safetensors"

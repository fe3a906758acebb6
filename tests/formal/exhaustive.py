# SPDX-License-Identifier: Apache-2.0
"""Proofs without a solver: every case there is, within stated bounds."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.formal.residency import cases, problem
from tests.formal.seeds import seeded

#: module, its text, what is put in its place; and what of it replaces its original where, "module:attribute"
Change = tuple[str, str, str, tuple[str, ...]]
Bug = tuple[Change, ...]

_READS = ("codesign.plan.strips:input_rows", "codesign.plan.emit_gather:input_rows")
_ACCESSES = ("codesign.plan.buffers:Buffer.accesses",)
BUGS: dict[str, Bug] = {
    "ring one row too small": (
        ("codesign.plan.strips", "self._live_rows(producer, reader) - 1)", "self._live_rows(producer, reader) - 2)",
         ("codesign.plan.strips:StripPlanner._rings",)),
        ("codesign.plan.buffers", "assert not self.ring or stop", "assert True or stop", _ACCESSES),  # would tell
    ),
    "window one row too short": (
        ("codesign.plan.geometry", "reach = node.bound * half if", "reach = node.bound * half - 1 if", _READS),
    ),
    "released one row early": (
        ("codesign.plan.buffers", "start = self.address(a)\n",
         "start = self.address(a) + (not write and b - a > 1) * self.width\n", _ACCESSES),
    ),
    "writers wait for no reader": (
        ("codesign.plan.tokens", "needs = np.maximum(needs, space.read", "np.maximum(needs, space.read",
         ("codesign.plan.tokens:TokenTracker.waits",)),
    ),
    "taps wrap half a ring early": (
        ("codesign.plan.buffers", "self.ring.bit_length() - 1 if", "self.ring.bit_length() - 2 if",
         ("codesign.plan.buffers:Buffer.ring_bits",)),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Residency:
    """In every program planned for a gather with a halo, every row that a tap may read, by the definition of taps,
    for any offset up to the bound, is there when the instruction starts and stays until it retires, in whatever
    order the engines run that the tokens allow."""

    heights: range
    bounds: range
    slow: bool = False
    module: str = "codesign.plan"
    bugs: dict[str, Bug] = field(default_factory=lambda: BUGS)

    @property
    def claim(self) -> str:
        return " ".join(str(type(self).__doc__).split())

    @property
    def how(self) -> str:
        return (
            f"all {sum(1 for _ in cases(self.heights, self.bounds))} of: kernels 3, 5, 7 at strides 1 and 2, three pools, "
            f"upsampled, squares and pairs of bounds {_span(self.bounds)}; maps of {_span(self.heights)} rows, made or "
            "loaded; strips of 1 to all rows; tight and roomy rings; a layer behind or none"
        )

    def holds(self, _: Path) -> bool:
        return not any(problem(case)[0] for case in cases(self.heights, self.bounds))

    def finds(self, bug: str, _: Path) -> bool:
        with _seeded(self.bugs[bug]):
            return any(_breaks(case) for case in cases(self.heights, self.bounds))


def _span(numbers: range) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


def _breaks(case: object) -> bool:
    try:
        return bool(problem(case)[0])
    except AssertionError:  # the planner's own; another case must show the bug
        return False


@contextmanager
def _seeded(bug: Bug) -> Iterator[None]:
    with ExitStack() as stack:
        for name, old, new, places in bug:
            broken = seeded(name, old, new)
            for place in places:
                module, path = place.split(":")
                *owner, attribute = path.split(".")
                target, source = importlib.import_module(module), broken
                for step in owner:
                    target, source = getattr(target, step), getattr(source, step)
                stack.enter_context(patch.object(target, attribute, getattr(source, attribute)))
        yield

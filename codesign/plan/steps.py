# SPDX-License-Identifier: Apache-2.0
"""What a planned group does, step by step: a list that can be tried against memory before it is emitted."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.graph.ir import Node

IMAGE = "<image>"  #: key of the packed input picture
WINDOW = "<window>"  #: key of the stem's gathered windows


@dataclass(frozen=True)
class Take:
    """Allocate ``planes`` × rows [row0, row1) × ``width`` words under ``key``; with ``ring``, only that many rows."""

    key: tuple
    planes: tuple[int, ...]
    row0: int
    row1: int
    width: int
    ring: int = 0
    low: bool = False  #: at the lowest free address, not behind the buffer before

    @property
    def plane_words(self) -> int:
        return (self.ring or self.row1 - self.row0) * self.width


@dataclass(frozen=True)
class Give:
    """Free what ``key`` holds."""

    key: tuple


@dataclass(frozen=True)
class Home:
    """Give ``planes`` a place for their whole map, until their last reader has run."""

    planes: tuple[int, ...]


@dataclass(frozen=True)
class Release:
    """Group number ``index`` is done: free the maps that no later group reads."""

    index: int


@dataclass(frozen=True)
class Fetch:
    """Load everything under ``key`` from DRAM."""

    key: tuple
    node: str


@dataclass(frozen=True)
class Keep:
    """Store rows [start, stop) of what ``key`` holds, lanes of ``tensor``, to DRAM."""

    key: tuple
    node: str
    tensor: str
    start: int
    stop: int


@dataclass(frozen=True)
class Compute:
    """Run ``nodes`` (one, or an array node and its plane-wise reader, interleaved plane by plane) on output rows
    ``rows[i]``.

    ``sources`` maps tensor names to keys of buffers; planes not held there are at home. ``targets[i]`` is the key of node
    i's output buffer, likewise. ``planes``: only these output planes (of a plane-wise node), None for all.
    """

    nodes: tuple[Node, ...]
    rows: tuple[tuple[int, int], ...]
    sources: dict[str, tuple]
    targets: tuple[tuple, ...]
    planes: tuple[int, ...] | None = None


Step = Take | Give | Home | Release | Fetch | Keep | Compute


@dataclass(frozen=True)
class Shape:
    """A way to run a group.

    ``rows`` a strip; ``tight``: rings just large enough, so that a strip's first rows wait for the strip before;
    ``streamed``: a plane-wise node's input comes from DRAM plane by plane; ``ahead``: inputs are loaded a strip ahead;
    ``packed``: buffers lie as low as they can, which waits for earlier ones but leaves the free words in one piece.
    """

    rows: int
    tight: bool = False
    streamed: bool = False
    ahead: bool = True
    packed: bool = False

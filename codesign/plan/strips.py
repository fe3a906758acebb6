# SPDX-License-Identifier: Apache-2.0
"""One group cut into strips of rows: a software pipeline of slots, each a list of steps.

Every row is computed once. A tensor between an array layer and a gather with halo lives in a ring of rows (or whole,
where the ring would be as large); one whose reader needs just the rows of its strip, in a buffer a strip.
"""

from __future__ import annotations

from dataclasses import replace

from codesign.graph.ir import Graph, Node
from codesign.plan.geometry import input_rows
from codesign.plan.groups import Group
from codesign.plan.operators import is_gather, is_pointwise
from codesign.plan.steps import IMAGE, WINDOW, Compute, Fetch, Give, Keep, Shape, Step, Take
from codesign.plan.views import Layout

Rows = tuple[int, int]


class StripPlanner:
    """Makes the slots of one group for a given `Shape`.

    ``in_dram``: planes that must be loaded; ``homes``: output planes that live in the scratchpad.
    """

    def __init__(
        self, graph: Graph, layout: Layout, group: Group, in_dram: frozenset[int], homes: frozenset[int], lanes: int, stem: bool
    ):  # fmt: skip
        self._graph, self._layout, self._group = graph, layout, group
        self._dram, self._homes, self._lanes, self._stem = in_dram, homes, lanes, stem
        self._out = group.nodes[-1].output
        self._height = graph.tensors[self._out].shape[1]
        nodes = group.nodes
        pairs = zip(nodes[:-1], nodes[1:], strict=True)
        #: (producer, reader) of the tensors that are kept in rings: those gathered with a halo
        self._ringed = [(a, b) for a, b in pairs if is_gather(b) and b.inputs[0] == a.output]
        self._ring_names = {a.output for a, _ in self._ringed}

    def slots(self, shape: Shape) -> list[list[Step]]:
        """In slot t stage k works on strip t - k. Allocations of rings are in the first slot, their release in the last.

        Gathers that follow no array layer come behind the later stages: parameters are fetched in program order, and
        theirs would keep the array's waiting.
        """
        self._shape = shape
        self._new = self._new_rows(shape.rows)
        count, depth, ahead = len(self._new), max(self._group.stages), int(shape.ahead)
        slots: list[list[Step]] = []
        for slot in range(count + depth):
            steps: list[Step] = self._rings() if slot == 0 else []
            for strip in range(0 if slot == 0 else slot + ahead, slot + ahead + 1):
                if strip < count:
                    steps += self._loads(strip)
            late: list[Step] = []
            for stage in range(depth + 1):
                if 0 <= slot - stage < count:
                    now, then = self._stage(stage, slot - stage)
                    steps += now
                    late = then + late
            slots.append(steps + late)
        if shape.packed:
            slots = [[replace(s, low=True) if isinstance(s, Take) else s for s in slot] for slot in slots]
        slots[-1] += [Give(step.key) for step in slots[0] if isinstance(step, Take) and len(step.key) == 1]
        return slots

    # -- rows -----------------------------------------------------------------------------------------------------

    def _new_rows(self, rows: int) -> list[dict[str, Rows]]:
        """Per strip, the rows of every tensor of the group that are computed in it. The last strip completes them all:
        rows that no reader wants (stride > kernel) are computed and compared, too."""
        done = dict.fromkeys((node.output for node in self._group.nodes), 0)
        strips: list[dict[str, Rows]] = []
        for start in range(0, self._height, rows):
            stop = min(self._height, start + rows)
            new = {self._out: (start, stop)}
            for node in reversed(self._group.nodes):
                for index, name in enumerate(node.inputs):
                    if name in self._group.internal:
                        _, height, up = self._input(name)
                        first, end = new[node.output]
                        need = input_rows(node, index, first, end, height, up)[1] if end > first else 0
                        if stop == self._height:
                            need = self._stored(name)[0]
                        new[name] = (done[name], max(done[name], need))
            done = {name: new[name][1] for name in done}
            strips.append(new)
        return strips

    def _reads(self, node: Node, index: int, strip: int) -> Rows | None:
        """Stored rows of input ``index`` that the node's new rows of a strip read; None for no rows."""
        first, stop = self._new[strip][node.output]
        _, height, up = self._input(node.inputs[index])
        return input_rows(node, index, first, stop, height, up) if stop > first else None

    def _input(self, name: str) -> tuple[tuple[int, ...], int, int]:
        """(planes, logical height, up)."""
        if name == self._graph.input.name and self._layout.image:
            return (), self._graph.input.shape[1], 0
        view = self._layout.views[name]
        tensor = self._graph.tensors.get(name, self._graph.input)
        return view.planes, tensor.shape[1], view.up

    def _stored(self, name: str) -> tuple[int, int]:
        """Stored (height, width) of a produced tensor, or of the windows."""
        return self._graph.tensors[self._group.nodes[0].output if name == WINDOW else name].shape[1:]

    # -- buffers --------------------------------------------------------------------------------------------------

    def _rings(self) -> list[Step]:
        steps: list[Step] = []
        for producer, reader in self._ringed:
            name = producer.output
            height, width = self._stored(name)
            rows = 1 << (self._live_rows(producer, reader) - 1).bit_length()
            steps.append(
                Take((name,), self._layout.views[name].planes, 0, height, width, rows if rows < height else 0)
            )
        return steps

    def _live_rows(self, producer: Node, reader: Node) -> int:
        """Rows that exist at a time: from the first that a strip still reads to the last written meanwhile."""
        lead = self._stage_of(reader) - self._stage_of(producer) + (0 if self._shape.tight else 1)
        last, live = len(self._new) - 1, 1
        for strip in range(last + 1):
            read = self._reads(reader, 0, strip)
            if read:
                live = max(live, self._new[min(last, strip + lead)][producer.output][1] - read[0])
        return live

    def _stage_of(self, node: Node) -> int:
        return self._group.stages[self._group.nodes.index(node)]

    def _load_key(self, name: str, strip: int) -> tuple:
        """Unlike the key of what another group, running beside this one, makes or loads."""
        return (name, strip, "for", self._out)

    def _key(self, name: str, strip: int) -> tuple:
        if name == WINDOW:
            return (WINDOW, strip, self._out)
        return (name,) if name in self._ring_names else (name, strip)

    def _take(self, name: str, strip: int) -> list[Step]:
        """The strip buffer that a node's new rows go to, where there is one."""
        if len(self._key(name, strip)) == 1:
            return []
        rows = self._new[strip][self._group.nodes[0].output if name == WINDOW else name]
        planes = (-1,) if name == WINDOW else self._layout.views[name].planes
        if name == self._out:
            planes = tuple(p for p in planes if p not in self._homes)
        key = self._key(name, strip)
        return [Take(key, planes, *rows, self._stored(name)[1])] if planes and rows[1] > rows[0] else []

    def _loads(self, strip: int) -> list[Step]:
        """Strip buffers of the inputs that are in DRAM."""
        user = self._group.nodes[0]
        if self._stem:
            rows = self._reads(user, 0, strip)
            width = self._graph.input.shape[2] // (self._lanes // 4)
            key = self._load_key(IMAGE, strip)
            return [Take(key, (-1,), *rows, width), Fetch(key, user.name)] if rows else []
        steps: list[Step] = []
        for name in self._group.inputs:
            planes, rows = self._loaded(name), self._needed(name, strip)
            if planes and rows and not self._streams(name):
                key = self._load_key(name, strip)
                steps += [
                    Take(key, planes, *rows, self._layout.planes[planes[0]].width),
                    Fetch(key, user.name),
                ]
        return steps

    def _loaded(self, name: str) -> tuple[int, ...]:
        return tuple(p for p in self._layout.views[name].planes if p in self._dram)

    def _streams(self, name: str) -> bool:
        first = self._group.nodes[0]
        return self._shape.streamed and not is_pointwise(first) and name == first.inputs[0]

    def _needed(self, name: str, strip: int) -> Rows | None:
        found = [
            self._reads(node, i, strip) for node in self._group.nodes for i, n in enumerate(node.inputs) if n == name
        ]  # fmt: skip
        rows = [r for r in found if r]
        return (min(r[0] for r in rows), max(r[1] for r in rows)) if rows else None

    # -- work -----------------------------------------------------------------------------------------------------

    def _stage(self, stage: int, strip: int) -> tuple[list[Step], list[Step]]:
        """Steps of a stage: those of array layers and their readers, and those of gathers alone."""
        if self._stem and stage == 0:
            return [], self._windows(strip)
        nodes = [n for n, s in zip(self._group.nodes, self._group.stages, strict=True) if s == stage]
        takes: list[Step] = [step for node in nodes for step in self._take(node.output, strip)]
        chunks = _interleaved(nodes)
        split = next((i for i, chunk in enumerate(chunks) if not is_pointwise(chunk[0])), len(chunks))
        early = [step for chunk in chunks[:split] for step in self._run(chunk, strip)]
        late = [step for chunk in chunks[split:] for step in self._run(chunk, strip)]
        ends = self._store(nodes[-1], strip) if nodes[-1].output == self._out else []
        ends += self._frees(nodes, stage, strip)
        return ([*takes, *early], [*late, *ends]) if split < len(chunks) else ([*takes, *early, *ends], [])

    def _windows(self, strip: int) -> list[Step]:
        node = self._group.nodes[0]
        rows = self._new[strip][node.output]
        if rows[0] == rows[1]:
            return []
        image = self._load_key(IMAGE, strip)
        work = Compute((node,), (rows,), {IMAGE: image}, (self._key(WINDOW, strip),))
        return [*self._take(WINDOW, strip), work, Give(image)]

    def _run(self, chunk: list[Node], strip: int) -> list[Step]:
        rows = tuple(self._new[strip][n.output] for n in chunk)
        sources = {name: key for n in chunk for name, key in self._sources(n, strip).items()}
        targets = tuple(self._key(n.output, strip) for n in chunk)
        if all(first < stop for first, stop in rows):
            if self._streams(chunk[0].inputs[0]) and self._loaded(chunk[0].inputs[0]):
                return self._plane_by_plane(chunk[0], strip, sources, targets)
            return [Compute(tuple(chunk), rows, sources, targets)]
        return [
            Compute((n,), (r,), sources, (t,))
            for n, r, t in zip(chunk, rows, targets, strict=True)
            if r[0] < r[1]
        ]

    def _plane_by_plane(
        self, node: Node, strip: int, sources: dict[str, tuple], targets: tuple
    ) -> list[Step]:
        """A plane-wise node whose input planes come one after the other from DRAM."""
        name, steps = node.inputs[0], []
        loaded = set(self._loaded(name))
        rows = self._reads(node, 0, strip)
        for given, made in zip(
            self._layout.views[name].planes, self._layout.views[node.output].planes, strict=True
        ):
            work = Compute(
                (node,),
                (self._new[strip][node.output],),
                {**sources, name: (*self._load_key(name, strip), given)},
                targets,
                (made,),
            )
            if given in loaded:
                take = Take(
                    (*self._load_key(name, strip), given), (given,), *rows, self._layout.planes[given].width
                )
                steps += [take, Fetch(take.key, node.name), work, Give(take.key)]
            else:
                steps.append(work)
        return steps

    def _sources(self, node: Node, strip: int) -> dict[str, tuple]:
        """Keys of the buffers that hold this node's inputs, where those are not at home."""
        if self._stem and node is self._group.nodes[0]:
            return {WINDOW: self._key(WINDOW, strip)}
        found: dict[str, tuple] = {}
        for name in node.inputs:
            if name in self._group.internal:
                found[name] = self._key(name, strip)
            elif self._loaded(name):
                found[name] = self._load_key(name, strip)
        return found

    def _store(self, node: Node, strip: int) -> list[Step]:
        planes = [p for p in self._layout.views[self._out].planes if p not in self._homes]
        rows = self._new[strip][self._out]
        if not planes or rows[0] == rows[1]:
            return []
        key = (self._out, strip)
        return [Keep(key, node.name, self._out, *rows), Give(key)]

    def _frees(self, nodes: list[Node], stage: int, strip: int) -> list[Step]:
        """Strip buffers whose last reader in the group has just been issued."""
        pairs = list(zip(self._group.nodes, self._group.stages, strict=True))
        later = {name for n, s in pairs if s > stage for name in n.inputs}
        made = self._new[strip][self._group.nodes[0].output]
        keys = set()
        for name in {name for n in nodes for name in n.inputs} - later:
            if name in self._group.internal:
                first, stop = self._new[strip][name]
                keys |= {self._key(name, strip)} if stop > first else set()
            elif self._stem and name == self._graph.input.name:
                keys |= {self._key(WINDOW, strip)} if made[1] > made[0] else set()
            elif self._loaded(name) and self._needed(name, strip) and not self._streams(name):
                keys.add(self._load_key(name, strip))
        return [Give(key) for key in sorted(keys, key=str) if len(key) > 1]


def _interleaved(nodes: list[Node]) -> list[list[Node]]:
    """Pairs (array node, plane-wise reader of its output) that are issued plane by plane; others alone."""
    chunks: list[list[Node]] = []
    for node in nodes:
        pair = chunks and is_pointwise(chunks[-1][-1]) and is_gather(node)
        if pair and node.inputs[0] == chunks[-1][-1].output:
            chunks[-1].append(node)
        else:
            chunks.append([node])
    return chunks

# SPDX-License-Identifier: Apache-2.0
"""Graph × configuration → `Plan`: every group in turn, each in the best shape that fits the scratchpad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import DeformConv, Graph
from codesign.plan.buffers import Buffer
from codesign.plan.emit import Emitter, Rows
from codesign.plan.groups import Group, is_pointwise, is_stem, make_groups
from codesign.plan.memory import NoRoom
from codesign.plan.params import ParamImage
from codesign.plan.residency import Residency
from codesign.plan.strips import IMAGE, WINDOW, Compute, Fetch, Give, Keep, Shape, StripPlanner, Take, shapes
from codesign.plan.views import Layout, View, place
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, PlaneTensor, Program

_ALIGN = 4096


@dataclass(frozen=True, eq=False)
class Plan:
    """A program, where its tensors' channels live, and how each group was cut."""

    program: Program
    layout: Layout
    shapes: dict[str, Shape]


def plan(graph: Graph, config: AcceleratorConfig) -> Plan:
    """Plan ``graph`` for ``config``. Raises UserError for what the accelerator cannot hold or execute."""
    planner = _Planner(graph, config)
    for index, group in enumerate(planner.groups):
        planner.run(index, group)
    return planner.finish()


class _Planner:
    def __init__(self, graph: Graph, config: AcceleratorConfig):
        self.graph, self.config = graph, config
        self.layout = place(graph, config.lanes)
        self.groups = make_groups(graph, self.layout)
        self.shapes: dict[str, Shape] = {}
        self._params = ParamImage(config)
        self._emitter = Emitter(config, graph, self.layout, self._params)
        self._homes = Residency(graph, self.layout, self.groups, config)
        if self.layout.image:
            self._image_address = self._homes.dram_take(graph.input.shape[1] * graph.input.shape[2] * 4)
        else:
            for p in self.layout.views[graph.input.name].planes:
                self._homes.plane_address(p)

    def run(self, index: int, group: Group) -> None:
        """Emit the group and free what nobody reads any more.

        First choice: fused. Then its nodes one by one, then (plane-wise nodes) some planes at a time.
        """
        if not self._run_part(group, slice(None), False):
            for single in group.split():
                if not self._run_part(single, slice(None), False):
                    self._run_in_parts(single)
        self._homes.release(index)

    def _run_in_parts(self, group: Group) -> None:
        planes = len(self.layout.views[group.nodes[0].output].planes)
        at, size = 0, planes if is_pointwise(group.nodes[0]) else -(-planes // 2)
        while at < planes:
            # An array layer is never cut by planes: it reads every plane of its input.
            part = slice(None) if is_pointwise(group.nodes[0]) else slice(at, at + size)
            if self._run_part(group, part, size in (1, planes)):
                at += size
            elif size > 1 and size < planes:
                size = -(-size // 2)
            else:
                raise UserError(
                    f"{group.name}: one row of its tensors does not fit a scratchpad of {self.config.spad_words} words; "
                    "use a smaller input or a board setting with more spad_words"
                )

    def _run_part(self, group: Group, part: slice, spill_inputs: bool) -> bool:
        """Emit (a part of the planes of) a group; False if it does not fit. Maps it does not read are spilled for it."""
        found = self._first_fit(group, part)
        while found is None:
            if not self._homes.spill_one(group, spill_inputs, self._store_map):
                return False
            found = self._first_fit(group, part)
        shape, steps = found
        self.shapes[group.name] = shape
        out = group.nodes[-1].output
        buffers: dict[tuple, dict[int, Buffer]] = {}
        if shape.resident:
            if not self._homes.holds(out):
                self._homes.make_resident(out)
            buffers[(out,)] = {p: self._homes.planes[p] for p in self.layout.views[out].planes[part]}
        else:
            for p in self.layout.views[out].planes:
                self._homes.plane_address(p)
        for step in steps:
            self._do(step, buffers)
        return True

    def finish(self) -> Plan:
        """Lay program, parameters and data out in DRAM and resolve the addresses."""
        self._emitter.halt()
        instructions = self._emitter.instructions
        params = self._params.content()
        params_at = _align(len(instructions) * isa.INSTRUCTION_BYTES)
        data_at = _align(params_at + params.size)
        final = tuple(_relocate(i, params_at, data_at) for i in instructions)
        content = np.zeros(data_at, np.uint8)
        code = b"".join(i.encode() for i in final)
        content[: len(code)] = np.frombuffer(code, np.uint8)
        content[params_at : params_at + params.size] = params
        image = inputs = None
        if self.layout.image:
            image = (self._image_address + data_at, *self.graph.input.shape[1:])
        else:
            inputs = self._plane_tensor(self.graph.input.name, data_at)
        outputs = {role: self._plane_tensor(name, data_at) for role, name in self.graph.outputs.items()}
        program = Program(
            self.config,
            final,
            content,
            params_at,
            image,
            inputs,
            outputs,
            _align(data_at + self._homes.dram_bytes),
        )
        return Plan(program, self.layout, self.shapes)

    def _plane_tensor(self, name: str, data_at: int) -> PlaneTensor:
        view = self.layout.views[name]
        tensor = self.graph.tensors.get(name, self.graph.input)
        index = {p: i for i, p in enumerate(view.planes)}
        channels = np.array([[index[int(p)], int(lane)] for p, lane in view.channels])
        planes = tuple(self._homes.plane_address(p) + data_at for p in view.planes)
        return PlaneTensor(name, tensor.shape, tensor.scale, tensor.zero_point, planes, channels, view.up)

    # -- choosing -------------------------------------------------------------------------------------------------

    def _first_fit(self, group: Group, part: slice) -> tuple[Shape, list] | None:
        """The first shape that fits, and its steps."""
        out = group.nodes[-1].output
        _, height, width = self.graph.tensors[out].shape
        stem = is_stem(group.nodes[0], self.graph, self.layout)
        strips = StripPlanner(
            self.graph, self.layout, group, self._homes.spilled(), self.config.lanes, stem, part
        )
        for resident in self._homes.homes(out):
            for shape in shapes(height, width, resident):
                if resident and shape.halo and shape.rows * width < 64 and shape.rows < height:
                    continue  # tiny strips only to keep the output here: rather store it
                steps = strips.steps(shape)
                if self._fits(steps, out, shape):
                    return shape, steps
        return None

    def _fits(self, steps: list, out: str, shape: Shape) -> bool:
        memory = self._homes.memory.copy()
        held: dict[tuple, int] = {}
        try:
            if shape.resident and not self._homes.holds(out):
                memory.take_low(self._homes.words(out))
            for step in steps:
                if isinstance(step, Take):
                    held[step.key] = memory.take(step.words)
                elif isinstance(step, Give):
                    memory.give(held.pop(step.key))
        except NoRoom:
            return False
        return True

    # -- doing ----------------------------------------------------------------------------------------------------

    def _do(self, step, buffers: dict[tuple, dict[int, Buffer]]) -> None:
        match step:
            case Take():
                start = self._homes.memory.take(step.words)
                rows = (step.row1 - step.row0) * step.width
                buffers[step.key] = {
                    p: Buffer(start + i * rows, step.row0, step.row1, step.width)
                    for i, p in enumerate(step.planes)
                }
            case Give():
                self._homes.memory.give(next(iter(buffers.pop(step.key).values())).base)
            case Fetch():
                for p, buffer in buffers[step.key].items():
                    address = self._image_address if step.key[0] == IMAGE else self._homes.plane_address(p)
                    self._emitter.load(step.node, address, buffer)
            case Keep():
                for p, buffer in buffers[step.key].items():
                    self._emitter.store(
                        step.node, self._homes.plane_address(p), buffer, step.start, step.stop
                    )
            case Compute():
                self._compute(step, buffers)

    def _store_map(self, tensor: str, address: int, buffer: Buffer) -> None:
        self._emitter.store(tensor, address, buffer, buffer.row0, buffer.row1)

    def _compute(self, step: Compute, buffers: dict[tuple, dict[int, Buffer]]) -> None:
        node, rows = step.nodes[0], Rows(*step.rows[0])
        targets = [buffers[key] for key in step.targets]
        if IMAGE in step.sources:
            image = buffers[step.sources[IMAGE]][-1]
            self._emitter.window(node, image, targets[0][-1], rows.start, rows.stop)
            return
        if WINDOW in step.sources:
            source = buffers[step.sources[WINDOW]][-1]
            for plane, target in targets[0].items():
                self._emitter.stem(node, source, plane, target, rows)
            return
        if not is_pointwise(node):
            self._gather(node, rows, step, buffers, targets[0], list(targets[0]))
            return
        view, sources = self._inputs(node.inputs[0], step, buffers)
        for plane, target in targets[0].items():
            self._emitter.pointwise(node, view, sources, plane, target, rows)
            if len(step.nodes) == 2:
                reader = step.nodes[1]
                output = self._output_plane(node.output, reader.output, plane)
                self._gather(
                    reader, Rows(*step.rows[1]), step, buffers, targets[1], [output], {plane: target}
                )

    def _gather(self, node, rows: Rows, step: Compute, buffers, targets, planes, given=None) -> None:
        view, sources = (
            self._inputs(node.inputs[0], step, buffers)
            if given is None
            else (self.layout.views[node.inputs[0]], given)
        )
        offsets = None
        if len(node.inputs) == 2:
            offset_view, offset_sources = self._inputs(node.inputs[1], step, buffers)
            offsets = offset_sources[_offset_plane(node, offset_view)]
        for plane in planes:
            source = self._output_plane(node.output, node.inputs[0], plane)
            turn = sorted(targets).index(plane)
            self._emitter.gather(node, view, source, sources, offsets, plane, targets[plane], rows, turn)

    def _output_plane(self, tensor: str, other: str, plane: int) -> int:
        """The plane of ``other`` that corresponds to ``plane`` of ``tensor``, for operators that keep lanes."""
        position = self.layout.views[tensor].planes.index(plane)
        return self.layout.views[other].planes[position]

    def _inputs(self, name: str, step: Compute, buffers) -> tuple[View, dict[int, Buffer]]:
        view = self.layout.views[name]
        strip = buffers[step.sources[name]] if name in step.sources else {}
        here = {**self._homes.planes, **strip}
        return view, {p: here[p] for p in view.planes if p in here}


def _offset_plane(node: DeformConv, view: View) -> int:
    """The plane of the offsets; the gather engine takes channel i from lane i."""
    expected = np.arange(len(view.channels))
    if view.up or len(view.planes) > 1 or (view.channels[:, 1] != expected).any():
        raise UserError(
            f"{node.name}: its {len(view.channels)} offset channels must be a convolution's whole output that fits one word; "
            "use the square form, or an accelerator with more lanes"
        )
    return view.planes[0]


def _align(value: int) -> int:
    return -(-value // _ALIGN) * _ALIGN


def _relocate(instruction: Instruction, params_at: int, data_at: int) -> Instruction:
    values = dict(instruction.values)
    if values.get("param_beats"):
        values["param_addr"] += params_at
    if "dram_addr" in values:
        values["dram_addr"] += data_at
    return Instruction(instruction.opcode, values, instruction.node, instruction.written)

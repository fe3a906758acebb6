# SPDX-License-Identifier: Apache-2.0
"""Graph × configuration → `Plan`: every group in turn, each in the best shape that fits the scratchpad."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from codesign.boards import TYPICAL, Dram
from codesign.errors import UserError
from codesign.graph.ir import Graph
from codesign.plan.assemble import assemble
from codesign.plan.buffers import Buffer
from codesign.plan.emit import Emitter
from codesign.plan.groups import Group, is_stem, make_groups
from codesign.plan.latency import predict
from codesign.plan.memory import NoRoom
from codesign.plan.operators import executable, is_pointwise
from codesign.plan.params import ParamImage
from codesign.plan.perform import Performer
from codesign.plan.pipeline import merged, planes_of, zipped
from codesign.plan.placement import place
from codesign.plan.policy import POLICIES, Policy
from codesign.plan.residency import Residency
from codesign.plan.shapes import shapes
from codesign.plan.steps import Home, Release, Shape, Step
from codesign.plan.strips import StripPlanner
from codesign.plan.views import Layout
from codesign.plan.workload import Workload, workload
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Program

Slots = list[list[Step]]
Order = Callable[[Slots], Slots]  #: how a group's slots join those still pending


@dataclass(frozen=True, eq=False)
class Plan:
    """A program, where its tensors' channels live, and how each group was cut."""

    program: Program
    layout: Layout
    shapes: dict[str, Shape]


def plan(
    graph: Graph, config: AcceleratorConfig, dram: Dram = TYPICAL, policies: Sequence[Policy] = POLICIES
) -> Plan:
    """Plan ``graph`` for ``config``: of one plan for each policy, the one that takes the fewest cycles with ``dram`` by the
    latency model. Raises UserError for what the accelerator cannot hold or execute."""
    plans: list[Plan] = []
    refusal: UserError | None = None
    for policy in policies:
        try:
            plans.append(plan_by(graph, config, policy))
        except UserError as error:  # another policy may need less of the scratchpad
            refusal = refusal or error
    if not plans:
        assert refusal is not None
        raise refusal
    if len(plans) == 1:
        return plans[0]
    return min(plans, key=lambda found: predict(found.program, dram).cycles)


def plan_by(graph: Graph, config: AcceleratorConfig, policy: Policy) -> Plan:
    """Plan ``graph`` for ``config`` by one policy."""
    planner = _Planner(executable(graph), config, policy)
    for index, group in enumerate(planner.groups):
        planner.run(index, group)
    return planner.finish()


class _Planner:
    """``_pending`` holds slots not yet emitted: the last ones of the group before, which go between the next group's
    first, or all of it where the array has little to do in them."""

    def __init__(self, graph: Graph, config: AcceleratorConfig, policy: Policy):
        self.graph, self.config, self.policy = graph, config, policy
        self.layout = place(graph, config)
        self.groups = make_groups(graph, self.layout)
        self.shapes: dict[str, Shape] = {}
        self._params = ParamImage(config)
        self._emitter = Emitter(config, graph, self.layout, self._params)
        self._homes = Residency(graph, self.layout, self.groups, config)
        self._image_address = None
        if self.layout.image:
            self._image_address = self._homes.dram_take(graph.input.shape[1] * graph.input.shape[2] * 4)
        else:
            for p in self.layout.views[graph.input.name].planes:
                self._homes.plane_address(p)
        self._performer = Performer(graph, self.layout, self._emitter, self._homes, self._image_address)
        self._pending: Slots = []
        self._depth = 0  # how many of the pending slots are a group's last
        self._chain = 0  # groups that are pending as a whole, and their work
        self._work = Workload()

    def run(self, index: int, group: Group) -> None:
        """Plan and emit one group: fused; else its first node and the others apart; else ever smaller strips."""
        if self._good(index, group, last=True):
            return
        parts = group.cut() if len(group.nodes) > 1 else [group]
        if len(parts) > 1:
            self._whatever(index, parts[0], last=False)
            if self._good(index, parts[1], last=True):
                return
        rest = parts[-1]
        if len(rest.nodes) > 1:
            for single in _singles(rest):
                self._whatever(index, single, last=single.nodes[-1] is rest.nodes[-1])
        else:
            self._whatever(index, rest, last=True)

    def finish(self) -> Plan:
        """Emit what is left, and lay everything out in DRAM."""
        self._flush()
        self._emitter.halt()
        program = assemble(
            self.graph, self.layout, self.config, self._emitter.instructions, self._params.content(),
            self._homes, self._image_address,
        )  # fmt: skip
        return Plan(program, self.layout, self.shapes)

    # -- choosing -------------------------------------------------------------------------------------------------

    def _good(self, index: int, group: Group, last: bool) -> bool:
        """Emit the group in a good shape; False, and nothing emitted but spilled maps, if there is none."""
        beside = [self._side_by_side]
        if self._chain and self._try(index, group, last, poor=False, all_homes=False, orders=beside):
            return True
        if self._try_with_spills(index, group, last):
            return True
        while not self._try(index, group, last, poor=False, all_homes=False):
            if not self._spill(index, group, inputs=False):
                return False
        return True

    def _try_with_spills(self, index: int, group: Group, last: bool) -> bool:
        """All new maps at home, if need be in place of some that are read later than they are."""
        while True:
            if self._try(index, group, last, poor=False, all_homes=True):
                return True
            planes = self._homes.home_choices(group.nodes[-1].output, index, self._promised())[0]
            if not planes:
                return False
            soonest = max(self._homes.next_use(p, index) for p in planes)
            if not self._spill(index, group, inputs=False, later_than=max(soonest, index + 1)):
                return False

    def _whatever(self, index: int, group: Group, last: bool) -> None:
        """Emit the group in any shape; maps it does not read, then those it does, are spilled for it."""
        while not self._good(index, group, last):
            if self._try(index, group, last, poor=True, all_homes=False):
                return
            single = len(group.nodes) == 1
            if not (
                self._spill(index, group, inputs=False) or (single and self._spill(index, group, inputs=True))
            ):
                raise UserError(
                    f"{group.name}: one row of its tensors does not fit a scratchpad of {self.config.spad_words} words; "
                    "use a smaller input or a board setting with more spad_words"
                )

    def _try(
        self,
        index: int,
        group: Group,
        last: bool,
        poor: bool,
        all_homes: bool,
        orders: list[Order] | None = None,
    ) -> bool:
        """Emit the group in the first shape that fits. ``all_homes``: only with every new map at home."""
        orders = orders or [self._overlapped, self._in_turn]
        choices = self._homes.home_choices(group.nodes[-1].output, index, self._promised())
        for homes in choices[:1] if all_homes else choices:
            if homes and not self._fits([*self._pending, [Home(homes), Release(index - 1)]], True):
                continue  # not even alone
            for shape, slots in self._candidates(group, homes, poor):
                if homes:
                    slots[0].insert(0, Home(homes))
                if last:
                    slots[-1].append(Release(index))
                for order in orders:
                    if self._fits(order(slots), bool(homes)):
                        self.shapes[group.name] = shape
                        self._commit(index, group, slots, order)
                        return True
        return False

    def _side_by_side(self, slots: Slots) -> Slots:
        return zipped(self._pending, slots, self.graph, self.layout)

    def _overlapped(self, slots: Slots) -> Slots:
        first = len(self._pending) - self._depth
        return self._pending[:first] + merged(self._pending[first:], slots, self.graph, self.layout)

    def _in_turn(self, slots: Slots) -> Slots:
        return [*self._pending, *slots]

    def _promised(self) -> frozenset[int]:
        """Planes that pending slots give a home."""
        steps = [step for slot in self._pending for step in slot if isinstance(step, Home)]
        return frozenset(p for step in steps for p in step.planes)

    def _candidates(self, group: Group, homes: tuple[int, ...], poor: bool) -> Iterator[tuple[Shape, Slots]]:
        out = group.nodes[-1].output
        _, height, width = self.graph.tensors[out].shape
        stem = is_stem(group.nodes[0], self.graph, self.layout)
        at_home = frozenset(homes) | self._promised() | self._homes.scratchpad.homes.keys()
        strips = StripPlanner(
            self.graph, self.layout, group, self._homes.spilled(), at_home, self.config.lanes, stem
        )
        for streamed in (False,) if is_pointwise(group.nodes[0]) else (False, True):
            for shape in shapes(height, width, streamed, self.policy)[poor]:
                yield shape, strips.slots(shape)

    def _fits(self, order: Slots, new_homes: bool) -> bool:
        """Whether ``order`` can be done; new homes must leave room for the groups to come."""
        scratchpad = self._homes.scratchpad.copy()
        try:
            for slot in order:
                for step in slot:
                    scratchpad.apply(step)
        except NoRoom:
            return False
        return not new_homes or scratchpad.memory.free_words >= self.config.spad_words // self.policy.reserve

    # -- doing ----------------------------------------------------------------------------------------------------

    def _workload(self, group: Group) -> Workload:
        return workload(group, self.graph, self.layout, self.config)

    def _commit(self, index: int, group: Group, slots: Slots, order: Order) -> None:
        """Emit all but the group's last slots; nothing yet if the array is idle much of the time in it or in the next one."""
        done = order(slots)
        given = self._promised() | {p for s in slots[0] if isinstance(s, Home) for p in s.planes}
        for p in self.layout.views[group.nodes[-1].output].planes:
            if p not in given and p not in self._homes.scratchpad.homes:
                self._homes.plane_address(p)
        beside = order == self._side_by_side
        self._work = self._workload(group) + (self._work if beside else Workload())
        self._chain = (self._chain if beside else 0) + 1
        after = self.groups[index + 1 : index + 2]
        if self._chain >= self.policy.beside or all(
            w.array_bound for w in (self._work, *map(self._workload, after))
        ):
            self._chain = 0
        self._depth = max(group.stages)
        keep = len(done) if self._chain else self._depth
        for slot in done[: len(done) - keep]:
            self._performer.run(slot)
        self._pending = done[len(done) - keep :]

    def _flush(self) -> None:
        for slot in self._pending:
            self._performer.run(slot)
        self._pending, self._depth, self._chain = [], 0, 0

    def _settle(self) -> None:
        """Emit what is pending but the last slots of its last group."""
        first = len(self._pending) - self._depth
        for slot in self._pending[:first]:
            self._performer.run(slot)
        self._pending, self._chain = self._pending[first:], 0

    def _spill(self, index: int, group: Group, inputs: bool, later_than: int = -1) -> bool:
        """Move the map at home that is read last, if later than group ``later_than``, to DRAM. False if there is none."""
        self._settle()
        busy = planes_of(self._pending, self.layout)
        plane = self._homes.to_spill(group, index, busy, inputs)
        if plane is None and self._pending:
            self._flush()
            plane = self._homes.to_spill(group, index, frozenset(), inputs)
        if plane is None or self._homes.next_use(plane, index - 1) <= later_than:
            return False
        buffer: Buffer = self._homes.scratchpad.homes[plane]
        address = self._homes.plane_address(plane)
        self._emitter.store(group.name, address, buffer, buffer.row0, buffer.row1)
        self._homes.scratchpad.evict(plane)
        return True


def _singles(group: Group) -> list[Group]:
    groups = []
    while len(group.nodes) > 1:
        first, group = group.cut()
        groups.append(first)
    return [*groups, group]

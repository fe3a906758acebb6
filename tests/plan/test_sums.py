# SPDX-License-Identifier: Apache-2.0
"""Additions and averages are planned, whatever makes their inputs; what the accelerator cannot hold is refused."""

import numpy as np
import pytest

from codesign.boards import load_board
from codesign.errors import UserError
from codesign.golden import image_codes
from codesign.graph.count import mac_count
from codesign.graph.ir import Add, Conv, GlobalAveragePool, Graph, Requant, Tensor
from codesign.lower.random_layers import random_codes, random_layer_graph
from codesign.lower.random_net import calibration_image
from codesign.lower.random_zoo import random_network
from codesign.plan import plan
from codesign.plan.latency import predict
from codesign.plan.operators import executable
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from tests.plan.test_plan import SMALL, WIDE, assert_planned_equals_golden

SUMS = ("residual", "average", "add", "pointwise", "depthwise")
CONFIGS = (AcceleratorConfig(), SMALL, WIDE)


@pytest.mark.parametrize("seed", range(24))
def test_sums_of_any_origin_are_exact(seed: int) -> None:
    """Through views, upsampled, from a depthwise layer, twice the same tensor."""
    graph = random_layer_graph(np.random.default_rng([7, seed]), SUMS)
    assert_planned_equals_golden(graph, random_codes(graph, seed), CONFIGS[seed % 3], seed)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_residual_network_is_exact(config: AcceleratorConfig) -> None:
    graph = random_network("mobilenetv2-0.35", 64, 96)
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), config, 5)


def test_a_plain_network_is_exact() -> None:
    graph = random_network("simplenet")
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), AcceleratorConfig(), 2)


def test_an_addition_runs_in_the_group_of_its_convolution() -> None:
    """Its first addend never leaves the scratchpad, and every instruction of it is mode ADD."""
    graph = random_network("mobilenetv2-0.35", 64, 64)
    planned = plan(graph, AcceleratorConfig())
    adds = {node.name for node in graph.nodes if isinstance(node, Add)}
    assert len(adds) == 10
    of = [i for i in planned.program.instructions if i.node in adds]
    assert {i.node for i in of if i.opcode == isa.Opcode.DEPTHWISE} == adds
    assert all(i.values["mode"] == isa.Mode.ADD for i in of if i.opcode == isa.Opcode.DEPTHWISE)
    assert sum(name.endswith(".add") for name in planned.shapes) == 10
    assert not {name for name in planned.shapes if name in adds}


def _average(height: int, width: int) -> Graph:
    tensors = {n: Tensor(n, s, 1.0, 0) for n, s in (("x", (40, height, width)), ("y", (40, 1, 1)))}
    image = tensors["x"]
    one = np.ones(40, np.int64)
    requant = Requant((1 << 31) // (height * width) // (1 << 16) * one, 31 * one, 0 * one, 0)
    return Graph(image, (GlobalAveragePool("y", ("x",), "y", requant),), tensors, {"y": "y"})


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (8, 8), (31, 31), (2, 31)])
def test_an_average_of_any_map_up_to_31(size: tuple[int, int]) -> None:
    graph = _average(*size)
    codes = np.random.default_rng(3).integers(-128, 128, graph.input.shape).astype(np.int8)
    assert_planned_equals_golden(graph, codes, AcceleratorConfig(), None)
    beats = {i.values.get("param_beats") for i in plan(graph, AcceleratorConfig()).program.instructions}
    assert 66 in beats  # one row of weights for all taps


def test_a_larger_map_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="^y: .*at most 31"):
        plan(_average(32, 8), AcceleratorConfig())


def test_only_what_an_addition_cannot_read_is_copied() -> None:
    graph = random_network("mobilenetv2-0.35", 64, 64)
    assert not [n for n in executable(graph).nodes if isinstance(n, Conv) and ".copy." in n.name]


def test_mobilenetv2_keeps_its_multipliers_busy() -> None:
    """docs/networks.md: 0.641 in RTL, which the latency model meets within 1 %."""
    graph, board = random_network("mobilenetv2"), load_board("pynq-z2")
    config = board.accelerator
    cycles = predict(plan(graph, config, board.dram).program, board.dram).cycles
    assert mac_count(graph) / ((config.array_macs + config.depthwise_macs) * cycles) > 0.62

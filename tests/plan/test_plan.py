# SPDX-License-Identifier: Apache-2.0
"""A planned network computes golden's values, in whatever order the engines run."""

import numpy as np
import pytest

from codesign.errors import UserError
from codesign.fuzz.machines import CONFIG
from codesign.golden import image_codes, run
from codesign.graph.ir import Conv, DeformConv, Graph
from codesign.lower.random_layers import OPERATORS, random_codes, random_layer_graph
from codesign.lower.random_net import calibration_image, random_graph
from codesign.nn.layer_bits import layer_names
from codesign.plan import plan
from codesign.plan.placement import place
from codesign.plan.policy import POLICIES
from codesign.program.config import AcceleratorConfig
from codesign.program.emulator import Emulator
from codesign.program.program import Program

FIRST = OPERATORS[:8]  #: what the graphs of seeds found by fuzzing were drawn from
SMALL = AcceleratorConfig(
    lanes=16, array_out=8, depthwise_units=1, spad_words=2048, acc_depth=64, memory_ports=1
)
WIDE = AcceleratorConfig(array_out=32, depthwise_units=2, spad_words=4096)


def assert_planned_equals_golden(
    graph: Graph, codes: np.ndarray, config: AcceleratorConfig, seed: int | None
) -> None:
    assert_equals_golden(plan(graph, config).program, graph, codes, seed)


def assert_equals_golden(program: Program, graph: Graph, codes: np.ndarray, seed: int | None) -> None:
    memory = np.zeros(program.dram_bytes, np.uint8)
    memory[: program.content.size] = program.content
    program.write_input(memory, codes)
    Emulator(program, memory).run(seed)
    golden = run(graph, codes)
    for output in program.outputs.values():
        got = output.read(memory, program.config.lanes)
        np.testing.assert_array_equal(got, golden[output.name], err_msg=output.name)


@pytest.mark.parametrize("policy", range(len(POLICIES)))
@pytest.mark.parametrize("words", [3072, 12288])
def test_every_policy_is_exact(policy: int, words: int) -> None:
    """Only the quickest plan is used; all of them must be right."""
    graph = random_graph("a", height=128, width=96)
    config = AcceleratorConfig(spad_words=words)
    program = plan(graph, config, policies=[POLICIES[policy]]).program
    assert_equals_golden(program, graph, image_codes(calibration_image(graph)), policy)


@pytest.mark.parametrize("form", ["square", "pairs"])
@pytest.mark.parametrize("order", [None, 1, 2])
def test_codenet_is_exact_in_any_order_of_engines(form: str, order: int | None) -> None:
    graph = random_graph("b", height=96, width=64, form=form)
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), AcceleratorConfig(), order)


def test_a_map_larger_than_the_scratchpad_goes_through_dram_in_strips() -> None:
    graph = random_graph("b", height=128, width=128)
    config = AcceleratorConfig(spad_words=2048)
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), config, 3)


@pytest.mark.parametrize("seed", range(3))
def test_any_mix_of_weight_bits_is_exact(seed: int) -> None:
    """Each layer at 4 or 8 bits by chance, the stem too."""
    rng = np.random.default_rng(seed)
    mix = tuple((name, int(bits)) for name, bits in zip(layer_names(), rng.choice([4, 8], len(layer_names())), strict=True))
    graph = random_graph("ab"[seed % 2], height=64, width=96, layer_bits=mix)
    assert {n.name: n.weight_bits for n in graph.nodes if isinstance(n, (Conv, DeformConv))} == dict(mix)
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), (AcceleratorConfig(), WIDE)[seed % 2], seed)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["a", "c", "d"])
def test_published_configurations_are_exact(config: str) -> None:
    graph = random_graph(config)
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), AcceleratorConfig(), 1)


@pytest.mark.parametrize("seed", range(60))
def test_random_layers_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_layer_graph(rng)
    config = (AcceleratorConfig(), SMALL, WIDE)[seed % 3]
    if _wide_offsets(graph, config):
        with pytest.raises(UserError, match="fits one word"):
            plan(graph, config)
    else:
        assert_planned_equals_golden(graph, random_codes(graph, seed), config, seed)


def _wide_offsets(graph: Graph, config: AcceleratorConfig) -> bool:
    return any(
        getattr(n, "form", "") == "pairs" and 2 * n.weight.shape[2] ** 2 > config.lanes for n in graph.nodes
    )


def test_rows_that_a_strided_reader_skips_are_computed_too() -> None:
    graph = random_layer_graph(np.random.default_rng(431), FIRST)  # a 1×1 layer read with stride 2
    planned = plan(graph, SMALL)
    rows = {plane.index: np.zeros(plane.height, bool) for plane in planned.layout.planes}
    for instruction in planned.program.instructions:
        if instruction.written and instruction.written.plane >= 0:
            w = instruction.written
            rows[w.plane][w.row : w.row + w.rows] = True
    names = {*planned.layout.produced} - {graph.input.name}
    made = {p for name in names for p in planned.layout.views[name].planes}
    assert all(rows[p.index].all() for p in planned.layout.planes if p.index in made)


def test_a_part_whose_planes_are_all_resident_loads_nothing() -> None:
    """Found by fuzzing: a deformable layer cut by planes, some of its input's planes in DRAM and some resident."""
    graph = random_layer_graph(np.random.default_rng(1266), FIRST)
    config = AcceleratorConfig(array_out=8, depthwise_units=2, spad_words=2048, acc_depth=64, spad_banks=4)
    assert_planned_equals_golden(graph, random_codes(graph, 0), config, 1)


def test_a_deformable_layer_whose_rows_nearly_fill_the_scratchpad_is_planned() -> None:
    """Found by fuzzing: buffers of one strip after the other left no room in one piece."""
    graph = random_layer_graph(np.random.default_rng(2244), FIRST)
    config = AcceleratorConfig(array_out=8, depthwise_units=2, spad_words=2048, acc_depth=64, spad_banks=4)
    assert_planned_equals_golden(graph, random_codes(graph, 2244), config, 1)


def test_channel_shuffle_reads_no_more_planes_than_its_channels_fill() -> None:
    """Half of the shuffled channels lies in as few planes as if it had been made for its reader."""
    for name in "ad":
        graph = random_graph(name, height=64, width=64)
        layout = place(graph, AcceleratorConfig())
        for node in graph.nodes:
            if isinstance(node, Conv) and node.groups == 1 and node.inputs[0] != graph.input.name:
                ideal = -(-node.weight.shape[1] // 32)
                assert len(layout.views[node.inputs[0]].planes) == ideal, node.name


def test_a_stem_too_wide_to_be_fused_with_its_pool_runs_in_two_steps() -> None:
    graph = random_graph("b", height=64, width=256)
    config = AcceleratorConfig(spad_words=1024)
    assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), config, 1)


@pytest.mark.parametrize("words", [512, 1024, 1536])
def test_array_layers_with_more_input_than_output_planes_fit_a_small_scratchpad(words: int) -> None:
    graph = random_graph("a", height=32, width=512)
    config = AcceleratorConfig(spad_words=words)
    try:
        assert_planned_equals_golden(graph, image_codes(calibration_image(graph)), config, 1)
    except UserError as error:
        assert words == 512 and "spad_words" in str(error)


def test_what_does_not_fit_is_refused_with_a_remedy() -> None:
    graph = random_graph("b", height=256, width=256)
    with pytest.raises(UserError, match="spad_words"):
        plan(graph, AcceleratorConfig(spad_words=256))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
def test_the_host_writes_four_bytes_a_pixel_and_nothing_else(height: int, width: int) -> None:
    """No im2col, no stem on the CPU: between the program and the head tensors only the picture is written."""
    graph = random_graph("b", height=height, width=width)
    program = plan(graph, AcceleratorConfig()).program
    memory = np.zeros(program.dram_bytes, np.uint8)
    program.write_input(memory, np.full((3, height, width), 1, np.int8))  # pixel value 129
    written = np.flatnonzero(memory)
    assert program.inputs is None and program.image is not None
    address = program.image[0]
    assert written.min() >= address and written.max() < address + height * width * 4
    assert len(written) == height * width * 3


@pytest.mark.parametrize("policy", range(len(POLICIES)))
def test_channels_that_nothing_reads_keep_their_place_until_they_are_written(policy):
    """Two slices leave one channel of 21 to nobody; its plane was given up with the group before (fuzz seed 1205)."""
    graph = random_layer_graph(1205)
    program = plan(graph, CONFIG, policies=[POLICIES[policy]]).program
    assert_equals_golden(program, graph, random_codes(graph, 1205), 1205)

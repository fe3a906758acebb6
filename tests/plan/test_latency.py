# SPDX-License-Identifier: Apache-2.0
"""The latency model: causal, complete, monotonic in what costs time, and its constants are the RTL's."""

from dataclasses import replace

import pytest

from codesign.boards import Dram, load_board
from codesign.fuzz.machines import CONFIG, library
from codesign.golden import image_codes
from codesign.lower.random_layers import OPERATORS, random_layer_graph
from codesign.lower.random_net import calibration_image, random_graph
from codesign.plan import plan
from codesign.plan.latency import Latency, against_rtl, hardware, predict
from codesign.plan.latency.banks import Gather, Stream, speeds
from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Engine, Mode, Opcode
from codesign.program.program import Program
from codesign.verify import run_frame

DRAM = load_board("pynq-z2").dram
TAPS = Gather(
    cycles=9, mode=Mode.MAC, kh=3, kw=3, stride=1, pitch=0, up=0, deformed=False, wide=0, spacing=8, cols=64,
    left=1, right=1, pixel_bits=3,
)  # fmt: skip


def planned(config: AcceleratorConfig = AcceleratorConfig(), height: int = 96, width: int = 64) -> Program:
    return plan(random_graph("b", height=height, width=width), config).program


@pytest.fixture(scope="module")
def program() -> Program:
    return planned()


@pytest.fixture(scope="module")
def latency(program: Program) -> Latency:
    return predict(program, DRAM)


def test_no_instruction_starts_before_the_retirements_it_waits_for(
    program: Program, latency: Latency
) -> None:
    retired: list[list[int]] = [[] for _ in program.config.engines]
    for instruction, start, end in zip(
        program.instructions[:-1], latency.starts, latency.retired, strict=True
    ):
        for engine, ends in enumerate(retired):
            wait = instruction.values[f"wait{engine}"]
            assert not wait or start >= max(ends[:wait])
        assert end > start
        retired[instruction.engine].append(end)
    assert latency.cycles > max(latency.retired)


def test_engines_retire_in_order(program: Program, latency: Latency) -> None:
    for engine in range(len(program.config.engines)):
        ends = [e for i, e in zip(program.instructions, latency.retired, strict=False) if i.engine == engine]
        assert ends == sorted(ends)


def test_layers_span_from_their_first_start_to_their_last_retirement(
    program: Program, latency: Latency
) -> None:
    names = [instruction.node for instruction in program.instructions[:-1]]
    assert set(latency.layers) == set(names) - {""}
    for name, cycles in latency.layers.items():
        mine = [index for index, node in enumerate(names) if node == name]
        assert cycles == max(latency.retired[i] for i in mine) - min(latency.starts[i] for i in mine)


def test_no_engine_does_more_than_its_hardware_can(program: Program, latency: Latency) -> None:
    pixels = sum(
        v["rows"] * v["cols"] * v["planes"] * v["kh"] * v["kw"] * (1 + v["w8"])
        for v in (i.values for i in program.instructions if i.opcode == Opcode.POINTWISE)
    )
    loads = sum(
        i.values["row_words"] * i.values["rows"]
        for i in program.instructions
        if i.engine == Engine.LOAD and i.values.get("rows")
    )
    params = sum(i.values.get("param_beats", 0) for i in program.instructions)
    assert latency.cycles > max(pixels, loads * program.config.word_beats, params)


def test_the_same_program_gives_the_same_prediction(program: Program, latency: Latency) -> None:
    speeds.cache_clear()
    assert predict(program, DRAM) == latency


@pytest.mark.parametrize(
    "worse",
    [{"latency_cycles": 400}, {"bytes_per_cycle": 4}],
    ids=["ten times the latency", "a quarter of the bandwidth"],
)
def test_a_slower_memory_costs_cycles(program: Program, latency: Latency, worse: dict[str, int]) -> None:
    slower: Dram = replace(DRAM, **worse)
    assert predict(program, slower).cycles > 1.02 * latency.cycles


@pytest.mark.parametrize(
    "less",
    [{"array_out": 8}, {"depthwise_units": 1}, {"spad_banks": 1}, {"memory_ports": 1, "queue_depth": 2}],
    ids=str,
)
def test_less_hardware_costs_cycles(latency: Latency, less: dict[str, int]) -> None:
    assert predict(planned(AcceleratorConfig(**less)), DRAM).cycles > latency.cycles


@pytest.mark.parametrize("seed", range(20))
def test_every_random_network_is_predicted(seed: int) -> None:
    program = plan(
        random_layer_graph(seed, tuple(name for name in OPERATORS if name != "add")), AcceleratorConfig()
    ).program
    assert predict(program, DRAM).cycles > max(predict(program, DRAM).starts, default=0)


def test_a_unit_alone_is_never_held_up() -> None:
    assert speeds(4, None, (TAPS,), 0)[0] == pytest.approx(1, abs=0.02)


def test_units_share_a_single_bank_evenly() -> None:
    three = speeds(1, None, (TAPS, TAPS, TAPS), 0)
    assert three == pytest.approx([1 / 3] * 3, abs=0.05)


def test_the_pointwise_engine_always_wins_its_bank() -> None:
    assert speeds(1, Stream(4, 1, 0), (TAPS,), 0)[0] < 0.1


def test_more_banks_mean_fewer_conflicts() -> None:
    crowd = (TAPS, TAPS, TAPS)
    few, many = (min(speeds(banks, Stream(4, 1, 1), crowd, 4)) for banks in (2, 16))
    assert few < 0.8 * many


def test_constants_are_those_of_the_hardware() -> None:
    from hw import axi, dispatcher, gather, load, param_fetch, requantise, scratchpad
    from hw.array import DotArray

    assert (hardware.MAX_BEATS, hardware.MAX_OUTSTANDING) == (axi.MAX_BEATS, axi.MAX_OUTSTANDING)
    assert (hardware.PROGRAM_BUFFER, hardware.PARAM_REQUESTS) == (dispatcher.BUFFER, param_fetch.REQUESTS)
    assert hardware.READ_LATENCY == scratchpad.LATENCY
    assert hardware.TAPS_AHEAD == gather.TAPS_AHEAD
    assert (hardware.ARRAY_LATENCY, hardware.REQUANTISE_LATENCY) == (
        DotArray.LATENCY,
        requantise.Requantiser.LATENCY,
    )
    assert load.AHEAD > 1  # bursts are requested ahead, as the model takes for granted


def test_the_error_against_rtl_is_relative_to_rtl_in_total_and_per_layer() -> None:
    latency = Latency(110, (60, 106), (0, 50), {"one": 60, "two": 56})
    report = against_rtl(latency, 100, [{"name": "one", "cycles": 50}])
    assert (report["cycles"], report["error"]) == (110, 0.1)
    assert report["layers"] == [
        {"name": "one", "cycles": 60, "rtl": 50, "error": 0.2},
        {"name": "two", "cycles": 56, "rtl": None, "error": None},
    ]


def test_a_small_network_takes_as_long_in_rtl() -> None:
    graph = random_graph("b", height=96, width=64)
    program = plan(graph, CONFIG).program
    board = replace(load_board("pynq-z2"), accelerator=CONFIG)
    frame = run_frame(library(CONFIG), program, board, image_codes(calibration_image(graph)), monitors=False)
    assert predict(program, board.dram).cycles == pytest.approx(frame.cycles, rel=0.03)


def test_without_rtl_there_is_no_error() -> None:
    assert against_rtl(Latency(110, (), (), {}), None)["error"] is None

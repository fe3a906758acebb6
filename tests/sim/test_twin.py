# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: Apache-2.0
"""What is simulated in place of a module is equal to what is synthesised, cycle by cycle."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from codesign.numeric import requantise
from codesign.program.config import AcceleratorConfig
from hw.array import DotArray
from hw.generate import twin_lines
from hw.generate import verilog as accelerator
from hw.multipliers import Multipliers
from hw.requantise import Requantiser
from sim.twin import edited as is_edited
from sim.twin import memory, simulated
from tests.hw.test_array import stimulus
from tests.hw.test_top import SMALL
from tests.sim import pair

SEED = 31


def text(component: Elaboratable, name: str) -> str:
    return verilog.convert(component, name=name, emit_src=False)


def asking(form: str, config: AcceleratorConfig | None = None) -> str:
    return form + twin_lines(config or AcceleratorConfig(), form)


def test_edited_verilog_is_simulated_as_it_stands() -> None:
    lane = asking(text(Requantiser(21, skewed=True), "pointwise.bank.lane0"))
    assert "rounded0" in simulated(lane)
    edited = lane.replace("odd ? near[1] : near[0]", "1'h0")
    assert edited != lane and is_edited(edited) and not is_edited(lane)
    assert simulated(edited) == edited
    assert simulated(lane + "module more; endmodule\n") == lane + "module more; endmodule\n"


@pytest.mark.parametrize(("lanes", "outputs", "quads"), [(32, 16, 40), (16, 8, 0), (32, 32, 128)])
def test_array(lanes: int, outputs: int, quads: int, tmp_path: Path) -> None:
    synthesised, twin = "synthesised.pointwise.array", "twin.pointwise.array"
    replaced = simulated(asking(text(DotArray(lanes, outputs), twin), AcceleratorConfig(lanes=lanes, array_out=outputs)))
    assert "twin_array_clock" in replaced
    rng = random.Random(SEED + lanes + outputs)
    parts = [stimulus(rng, lanes, outputs) for _ in range(6)]
    cycles = [cycle for part, _ in parts for cycle in part]
    form = text(DotArray(lanes, outputs, layout=Multipliers(quads, primitives=False)), synthesised)
    first, second = pair.run(form, replaced, (synthesised, twin), cycles, tmp_path)
    begin = len(parts[0][0])  # before the first tiles are there, weights are not defined
    assert first[begin:] == second[begin:]
    width = DotArray(lanes, outputs).sums.as_value().shape().width // outputs
    for number in range(len(parts[0][1]) // 2, len(parts[0][1])):
        want = sum((int(s) % (1 << width)) << (width * o) for o, s in enumerate(parts[0][1][number]))
        assert second[number + DotArray.LATENCY - 1]["sums"] == want


def values(rng: random.Random, acc_bits: int) -> dict[str, int]:
    """One value's inputs as the numeric contract allows them; ties and extremes are frequent."""
    shift = rng.randint(8, 31)
    multiplier = rng.randint(0 if shift == 31 else 1 << 15, (1 << 16) - 1)
    reach = min(
        (1 << (acc_bits - 1)) - 1, rng.choice([200, 40_000, 1 << 31]) * (1 << shift) // (multiplier + 1)
    )
    acc = rng.randint(-reach - 1, reach)
    bias = rng.randint(-(1 << 46), 1 << 46) if rng.random() < 0.2 else rng.randint(-(1 << shift), 1 << shift)
    if rng.random() < 0.3:  # half way between two codes
        bias += (1 << (shift - 1)) - (acc * multiplier + bias) % (1 << shift)
    bias = max(-(1 << 47) + 1 - min(acc * multiplier, 0), min((1 << 47) - 1 - max(acc * multiplier, 0), bias))
    lo, hi = sorted(rng.randint(-128, 127) for _ in range(2))
    zero = rng.randint(-128, 127)
    return {
        "acc": acc,
        "multiplier": multiplier,
        "bias": bias,
        "shift": shift,
        "zero": zero,
        "lo": lo,
        "hi": hi,
    }


def skewed(given: list[dict[str, int]], acc_bits: int) -> list[dict[str, int]]:
    """The inputs of each cycle: every stage's when it needs them."""
    late = {"bias": Requantiser.BIAS_AT, "shift": Requantiser.SHIFT_AT}
    late |= dict.fromkeys(("zero", "lo", "hi"), Requantiser.OFFSET_AT)
    bits = {"acc": acc_bits, "bias": 48, "zero": 8, "lo": 8, "hi": 8}

    def at(name: str, number: int) -> int:
        return given[max(number - late.get(name, 0), 0)][name] % (1 << bits.get(name, 64))

    return [{name: at(name, number) for name in given[0]} for number in range(len(given))]


@pytest.mark.parametrize("acc_bits", [21, 32])
def test_requantiser(acc_bits: int, tmp_path: Path) -> None:
    synthesised, twin = "synthesised.bank.lane0", "twin.bank.lane0"
    lane = Requantiser(acc_bits, skewed=True)
    asked = asking(text(lane, twin))
    replaced = simulated(asked)
    assert replaced != asked
    rng = random.Random(SEED + acc_bits)
    given = [values(rng, acc_bits) for _ in range(20_000)]
    for unread in given[10::97]:  # what a lane without a channel may hold
        unread["shift"] = rng.randrange(8)
    form = text(Requantiser(acc_bits, skewed=True), synthesised)
    first, second = pair.run(form, replaced, (synthesised, twin), skewed(given, acc_bits), tmp_path)
    assert first[Requantiser.LATENCY :] == second[Requantiser.LATENCY :]
    for number in range(0, len(given) - Requantiser.LATENCY, 97):
        v = given[number]
        acc = np.array([v["acc"]])
        want = requantise(acc, v["multiplier"], v["bias"], v["shift"], v["zero"], v["lo"], v["hi"])
        assert second[number + Requantiser.LATENCY - 1]["code"] == int(want[0]) % 256, v


def test_requantiser_of_sums(tmp_path: Path) -> None:
    """As `test_requantiser`, with sums that go on or are held at random: of small values, as two addends are."""
    synthesised, twin = "synthesised.serialiser.lane0", "twin.serialiser.lane0"
    replaced = simulated(asking(text(Requantiser(21, skewed=True, sums=True), twin)))
    assert "if (!hold) total <= product + (add ? total : bias_wide);" in replaced
    rng = random.Random(SEED)
    given = [values(rng, 21) | {"add": 0, "hold": int(rng.random() < 0.2)} for _ in range(5_000)]
    for number, v in enumerate(given):
        if number % 3:
            v |= {"add": 1, "acc": rng.randint(-128, 127), "bias": rng.randint(-(1 << 30), 1 << 30)}
        else:
            v |= {"acc": rng.randint(-128, 127), "bias": rng.randint(-(1 << 30), 1 << 30)}
    cycles = skewed(given, 21)
    for number in range(1, len(cycles)):
        cycles[number] |= {name: given[number - Requantiser.BIAS_AT][name] for name in ("add", "hold")}
    cycles[0] |= {"add": 0, "hold": 0}
    cycles[1] |= {"add": 0, "hold": 0}
    form = text(Requantiser(21, skewed=True, sums=True), synthesised)
    first, second = pair.run(form, replaced, (synthesised, twin), cycles, tmp_path)
    assert first[Requantiser.LATENCY :] == second[Requantiser.LATENCY :]


class Masked(wiring.Component):
    """A memory of 16 rows of four bytes."""

    def __init__(self) -> None:
        names = {"address": In(4), "mask": In(4), "data": In(32), "read": In(4)}
        super().__init__({**names, "shown": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.rows = rows = Memory(shape=32, depth=16, init=[])
        write, read = rows.write_port(granularity=8), rows.read_port()
        mask = Signal(4)
        m.d.sync += mask.eq(self.mask)
        m.d.comb += [write.addr.eq(self.address), write.data.eq(self.data), write.en.eq(mask)]
        m.d.comb += [read.addr.eq(self.read), self.shown.eq(read.data)]
        return m


def test_masked_writes(tmp_path: Path) -> None:
    plain = text(Masked(), "first.rows")
    whole = memory.whole_writes(text(Masked(), "second.rows"))
    assert whole.count("else if (| ") == 1
    rng = random.Random(SEED)
    cycles = [
        {n: rng.randrange(1 << w) for n, w in (("address", 4), ("data", 32), ("read", 4))}
        | {"mask": rng.choice([0, 15, rng.randrange(16)])}
        for _ in range(5000)
    ]
    first, second = pair.run(plain, whole, ("first.rows", "second.rows"), cycles, tmp_path)
    assert first == second


def test_writes_of_a_part_of_the_row_stay() -> None:
    plain = text(Masked(), "first.rows")
    wider = plain.replace("reg [31:0] rows", "reg [39:0] rows")
    assert wider != plain and memory.whole_writes(wider) == wider
    gap = plain.replace("[15:8] <=", "[14:8] <=")
    assert gap != plain and memory.whole_writes(gap) == gap


def test_the_accelerator_gets_its_twins() -> None:
    config = AcceleratorConfig(**SMALL)
    simulated_text = simulated(accelerator(config, monitors=True))
    lanes = config.array_out + config.depthwise_requant * config.depthwise_units
    assert simulated_text.count("twin_array_clock(state,") == 1
    assert simulated_text.count("wire signed [63:0] twice") == lanes
    assert simulated_text.count("else if (| ") >= config.spad_banks

# SPDX-License-Identifier: Apache-2.0
"""The emulator against the direct models of the engines' benches, instruction by instruction."""

from __future__ import annotations

import random

import numpy as np
import pytest

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.emulator import Emulator
from codesign.program.program import Instruction, Program
from tests.hw.depthwise_model import WORDS, execute, random_work
from tests.hw.pointwise_model import Jobs, PointwiseModel

CONFIG = AcceleratorConfig(acc_depth=128, spad_words=4096)
PARAMS = 1 << 12  # where the parameters of the instruction at hand lie


def emulator(memory: np.ndarray) -> Emulator:
    halt = Instruction(isa.Opcode.HALT, {"engine": 0}, "")
    program = Program(CONFIG, (halt,), memory[:0], 0, None, None, {}, len(memory))
    return Emulator(program, memory)


def put(memory: np.ndarray, opcode: isa.Opcode, fields: dict[str, int], beats: list[int]) -> dict[str, int]:
    """Parameters into ``memory``; the instruction as the emulator decodes it."""
    raw = np.array(beats, "<u8").view(np.uint8)
    memory[PARAMS : PARAMS + raw.size] = raw
    return isa.decode(isa.encode(opcode, fields | {"param_addr": PARAMS, "param_beats": len(beats)}))[1]


@pytest.mark.parametrize("seed", range(4))
def test_pointwise_equals_the_model(seed: int) -> None:
    memory = np.zeros(1 << 20, np.uint8)
    tested, model = emulator(memory), PointwiseModel(CONFIG)
    model.memory[:] = np.random.default_rng(seed).integers(-128, 128, model.memory.shape)
    tested.spad[:] = model.memory
    for job in Jobs(CONFIG, random.Random(seed)).sequence(20):
        model.run(job)
        tested.execute(put(memory, isa.Opcode.POINTWISE, job.fields, job.beats()))
        np.testing.assert_array_equal(tested.spad, model.memory, err_msg=str(job.fields))


@pytest.mark.parametrize("seed", range(4))
def test_depthwise_equals_the_model(seed: int) -> None:
    rng, memory = random.Random(seed), np.zeros(1 << 16, np.uint8)
    tested = emulator(memory)
    tested.spad[:WORDS] = np.random.default_rng(seed).integers(-128, 128, (WORDS, CONFIG.lanes))
    for _ in range(25):
        work = random_work(rng, CONFIG.lanes)
        if work.fields["deform"]:
            at = work.fields["off_src"]
            tested.spad[at : at + len(work.offsets)] = work.offsets
        want = tested.spad.copy()
        for address, word in execute(work, tested.spad[:WORDS].view(np.uint8), CONFIG.depthwise_requant).items():
            want[address] = word
        tested.execute(put(memory, isa.Opcode.DEPTHWISE, work.fields, work.beats))
        np.testing.assert_array_equal(tested.spad, want, err_msg=str(work.fields))


def test_a_store_leaves_the_bytes_of_other_lanes() -> None:
    memory = np.full(1 << 12, 9, np.uint8)
    tested = emulator(memory)
    tested.spad[5:7] = np.arange(64).reshape(2, 32)
    fields = {"rows": 1, "row_words": 2, "spad_addr": 5, "dram_addr": 64, "lane_mask": 0xFF00FF01}
    tested.execute(isa.decode(isa.encode(isa.Opcode.STORE, fields))[1])
    kept = 0xFF00FF01 >> np.arange(32) & 1
    np.testing.assert_array_equal(memory[64:128], np.where(np.tile(kept, 2), np.arange(64), 9))
    assert (memory[:64] == 9).all() and (memory[128:] == 9).all()

# SPDX-License-Identifier: Apache-2.0
"""What is done to a frame, by kind. Each takes the room and a random source, and says what it did."""

from __future__ import annotations

import random
from collections.abc import Callable

from codesign.faults.room import WATCHDOG, Room
from codesign.program import isa

FOREVER = 1 << 62

Injection = Callable[[Room, random.Random], str]


def read_error(room: Room, noise: random.Random) -> str:
    """Memory answers reads of 8 to 512 bytes somewhere in what the frame reads with SLVERR."""
    program = room.victim.program
    loads = [i.values for i in program.instructions if i.opcode == isa.Opcode.LOAD]
    kind = noise.choice(("program", "parameters", "load"))
    if kind == "load":
        v = noise.choice(loads)
        at = v["dram_addr"] + noise.randrange(v["row_words"] * program.config.word_bytes)
    elif kind == "program":
        at = noise.randrange(isa.INSTRUCTION_BYTES * len(program.instructions))
    else:
        at = noise.randrange(program.params_address, program.content.size)
    return _errors(room, at, noise)


def write_error(room: Room, noise: random.Random) -> str:
    """Memory answers writes to 128 to 512 bytes of what a store writes with SLVERR."""
    program = room.victim.program
    v = noise.choice([i.values for i in program.instructions if i.opcode == isa.Opcode.STORE])
    at = v["dram_addr"] + noise.randrange(v["row_words"] * program.config.word_bytes)
    return _errors(room, at - at % 128, noise, 128)  # the answer to a burst is its first byte's


def _errors(room: Room, at: int, noise: random.Random, least: int = 8) -> str:
    size = least * noise.randrange(1, 512 // least + 1)
    room.simulated.inject_errors(room.base + at, room.base + at + size)
    room.begin()
    return f"SLVERR at bytes {at}..{at + size - 1}"


def reset_mid_frame(room: Room, noise: random.Random) -> str:
    """A soft reset somewhere in the frame, then the frame again."""
    at = noise.randrange(1, room.cycles)
    room.begin()
    room.simulated.advance(at)
    room.reset()
    room.begin()
    return f"reset after {at} cycles"


def corrupt_program(room: Room, noise: random.Random) -> str:
    """One to four bits of an instruction are inverted."""
    index, bits = noise.randrange(len(room.victim.program.instructions)), noise.sample(range(isa.INSTRUCTION_BITS), noise.randrange(1, 5))
    for bit in bits:
        room.memory[isa.INSTRUCTION_BYTES * index + bit // 8] ^= 1 << bit % 8
    room.begin()
    return f"instruction {index}, bits {bits}"


def token_imbalance(room: Room, noise: random.Random) -> str:
    """An instruction waits for more or fewer tokens of an engine than it should."""
    index = noise.randrange(len(room.victim.program.instructions) - 1)
    at = isa.INSTRUCTION_BYTES * index
    opcode, values = isa.decode(room.memory[at : at + isa.INSTRUCTION_BYTES].tobytes())
    field = f"wait{noise.randrange(len(room.victim.board.accelerator.engines))}"
    before = values[field]
    values[field] = noise.choice((before - 1, before + 1, before - noise.randrange(1, 9), before + noise.randrange(1, 99))) % (1 << isa.TOKEN_BITS)
    raw = isa.encode(opcode, {name: value for name, value in values.items() if name != "opcode"})
    room.memory[at : at + isa.INSTRUCTION_BYTES] = list(raw)
    room.begin()
    return f"instruction {index}, {field} {values[field]} instead of {before}"


def weight_bit(room: Room, noise: random.Random) -> str:
    """A bit of an instruction's weights or requantisation parameters is inverted."""
    users = [i.values for i in room.victim.program.instructions if i.values.get("param_beats")]
    v = noise.choice(users)
    at, bit = v["param_addr"] + noise.randrange(8 * v["param_beats"]), noise.randrange(8)
    room.memory[at] ^= 1 << bit
    room.begin()
    return f"bit {bit} of byte {at}"


def silent_memory(room: Room, noise: random.Random) -> str:
    """Memory takes and answers nothing: for some time, or until somebody looks after it."""
    at = noise.randrange(1, room.cycles)
    length = noise.choice((noise.randrange(1, WATCHDOG // 2), noise.randrange(WATCHDOG, 3 * WATCHDOG), FOREVER))
    room.begin()
    first = room.simulated.cycle + at
    room.simulated.silence(first, first + length if length != FOREVER else FOREVER)
    return f"silent after {at} cycles, for {'ever' if length == FOREVER else length}"


#: In the order of the table.
KINDS: dict[str, Injection] = {
    "AXI read error": read_error,
    "AXI write error": write_error,
    "reset mid-frame": reset_mid_frame,
    "corrupted program word": corrupt_program,
    "token imbalance": token_imbalance,
    "flipped weight bit": weight_bit,
    "memory that stops answering": silent_memory,
}

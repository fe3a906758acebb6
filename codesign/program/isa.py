# SPDX-License-Identifier: Apache-2.0
"""Instruction layout, stated once: the planner encodes with it, the RTL decodes with it, the docs print it.

An instruction is 512 bits, eight little-endian 64-bit beats. Every layout starts with the same header. Fields are
listed from bit 0 upwards as (name, width); a negative width is a signed field of that magnitude. Amaranth's
`StructLayout` is built from these tables in `hw.layouts`.

Synchronisation. Every engine counts the instructions it has retired since the start of the frame (its tokens).
An instruction starts when, for every engine e, ``retired[e] >= wait_e`` (modulo 2**16, see `hw.tokens`). The
program is one linear list, dispatched in order, and an instruction only ever waits for earlier ones: the
earliest unfinished instruction can always proceed, so queues and parameter FIFOs of any depth cannot deadlock.
"""

from __future__ import annotations

from enum import IntEnum

INSTRUCTION_BITS = 512
INSTRUCTION_BYTES = INSTRUCTION_BITS // 8
INSTRUCTION_BEATS = INSTRUCTION_BITS // 64
MAX_ENGINES = 8
TOKEN_BITS = 16


class Opcode(IntEnum):
    """What an instruction does; 0 is never valid, so that a program of zeros is a fault."""

    HALT = 1
    LOAD = 2
    STORE = 3
    POINTWISE = 4
    DEPTHWISE = 5


class Engine(IntEnum):
    """Engine numbers; depthwise unit i is DEPTHWISE + i. HALT uses engine 0."""

    LOAD = 0
    STORE = 1
    POINTWISE = 2
    DEPTHWISE = 3


class Mode(IntEnum):
    """What a depthwise unit does with the taps it gathers."""

    MAC = 0  #: multiply-accumulate, requantise
    MAX = 1  #: maximum of the taps inside the image (codes)
    WINDOW = (
        2  #: pack kh*kw pixels of an image (4 bytes a pixel) into one word, 3 lanes a tap, code = byte ^ 0x80
    )
    ADD = 3  #: sum of two maps, pixel by pixel: two products of 16 bits a lane, requantised


class Deform(IntEnum):
    """Where a depthwise unit's taps lie."""

    NONE = 0
    SQUARE = 1  #: lane 0 of the offset word is the distance d
    PAIRS = 2  #: lanes 0..2*kh*kw-1 are dy0, dx0, dy1, dx1, ...


class Fault(IntEnum):
    """Codes of the fault register."""

    NONE = 0
    OPCODE = 1  #: unknown opcode or engine
    ADDRESS = 2  #: scratchpad address out of range, or a store outside WRITE_LOW..WRITE_HIGH
    READ = 3  #: AXI read error response
    WRITE = 4  #: AXI write error response
    WATCHDOG = 5  #: no instruction retired for WATCHDOG cycles
    UNSUPPORTED = 6  #: a valid encoding this configuration does not execute


HEADER: tuple[tuple[str, int], ...] = (
    ("opcode", 4),
    ("engine", 4),
    ("index", 16),  # number of the instruction in the program; the dispatcher overwrites it
    *((f"wait{i}", TOKEN_BITS) for i in range(MAX_ENGINES)),
    ("param_addr", 32),  # byte address of this instruction's parameters, relative to BASE, multiple of 8
    ("param_beats", 16),  # 64-bit beats of parameters, 0 = none
)

TRANSFER: tuple[tuple[str, int], ...] = (  # LOAD and STORE: rows x row_words words
    ("dram_addr", 32),  # byte address relative to BASE, a multiple of the word
    ("dram_stride", 32),  # bytes from row to row
    ("spad_addr", 16),
    ("spad_stride", 16),  # words from row to row
    ("rows", 16),
    ("row_words", 16),
    ("lane_mask", 32),  # STORE: bytes of each word that are written, bit i = lane i; LOAD ignores it
)

POINTWISE: tuple[tuple[str, int], ...] = (
    # passes in order: plane, ky, kx, then (high, low) when w8; each streams the whole output region
    ("src", 16),  # word address of input (0, 0) of the first plane; address arithmetic is modulo 2**16
    ("planes", 12),  # input planes of `lanes` channels
    ("plane_stride", 16),  # words from plane to plane
    ("pitch", 12),  # words from input row to input row
    ("rows", 12),  # output region; acc_base + rows * cols <= acc_depth
    ("cols", 12),
    ("y0", -13),  # input row read by output row 0, tap 0 (in logical, upsampled coordinates)
    ("x0", -13),
    ("in_h", 12),  # logical input size: a coordinate outside reads z_in
    ("in_w", 12),
    ("stride", 3),  # 1, 2 or 4
    ("kh", 3),
    ("kw", 3),
    ("up", 1),  # input is stored at half size: address uses y >> 1, x >> 1
    ("z_in", -8),
    ("w8", 1),  # 8-bit weights: two passes each
    ("first", 1),  # first pass overwrites the accumulators, otherwise it adds to them
    ("last", 1),  # last pass is requantised and written; the sums stay in the accumulators
    ("acc_base", 12),  # accumulator of the region's first pixel
    ("dst", 16),  # word address of the output region's first pixel
    ("dst_pitch", 12),
    ("dst_group", 3),  # which `array_out` lanes of the word are written
    ("dst_mask", 32),  # one bit per array output: 0 leaves that lane of the word as it is
    ("z_out", -8),
    ("lo", -8),
    ("hi", -8),
)

DEPTHWISE: tuple[tuple[str, int], ...] = (
    ("src", 16),  # word address of input (0, 0); modulo 2**16
    ("pitch", 12),
    ("rows", 12),
    ("cols", 12),
    ("y0", -13),
    ("x0", -13),
    ("in_h", 12),
    ("in_w", 12),
    ("stride", 3),  # 1, 2 or 4
    ("kh", 5),  # up to 7; with `same`, up to 31
    ("kw", 5),
    ("up", 1),
    ("ring", 4),  # stored row r of the source lies in row r modulo 2**ring; 0: no ring
    ("z_in", -8),
    ("w8", 1),
    ("mode", 2),
    ("deform", 2),
    ("same", 1),  # MAC: one row of weights for all taps
    ("off_src", 16),  # word address of the offset of output (0, 0); ADD: of the second addend's (0, 0)
    ("off_pitch", 12),
    ("off_up", 1),  # ADD: the second addend is stored at half size
    ("dst", 16),
    ("dst_pitch", 12),
    ("z_out", -8),
    ("lo", -8),
    ("hi", -8),
)

BODIES: dict[Opcode, tuple[tuple[str, int], ...]] = {
    Opcode.HALT: (),
    Opcode.LOAD: TRANSFER,
    Opcode.STORE: TRANSFER,
    Opcode.POINTWISE: POINTWISE,
    Opcode.DEPTHWISE: DEPTHWISE,
}


def fields(opcode: Opcode) -> tuple[tuple[str, int], ...]:
    """Header and body of ``opcode`` from bit 0 upwards."""
    return HEADER + BODIES[opcode]


for _opcode in Opcode:
    assert sum(abs(w) for _, w in fields(_opcode)) <= INSTRUCTION_BITS, _opcode


def encode(opcode: Opcode, values: dict[str, int]) -> bytes:
    """One instruction as 64 bytes. Unnamed fields are 0; a value outside its field raises ValueError."""
    word, at = 0, 0
    left = dict(values, opcode=int(opcode))
    for name, width in fields(opcode):
        value = int(left.pop(name, 0))
        bits = abs(width)
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if width < 0 else (0, (1 << bits) - 1)
        if not low <= value <= high:
            raise ValueError(f"{opcode.name} field {name} = {value} is outside {low}..{high}")
        word |= (value & ((1 << bits) - 1)) << at
        at += bits
    if left:
        raise ValueError(f"{opcode.name} has no field {sorted(left)}")
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def decode(raw: bytes) -> tuple[Opcode, dict[str, int]]:
    """Inverse of `encode`. An unknown opcode raises ValueError."""
    word = int.from_bytes(raw, "little")
    opcode = Opcode(word & 0xF)
    values, at = {}, 0
    for name, width in fields(opcode):
        bits = abs(width)
        value = (word >> at) & ((1 << bits) - 1)
        if width < 0 and value >> (bits - 1):
            value -= 1 << bits
        values[name] = value
        at += bits
    return opcode, values

# SPDX-License-Identifier: Apache-2.0
"""The frame that a self test runs: the tiny detector, one picture, and the digest of golden's outputs."""

from __future__ import annotations

import numpy as np

from codesign.boards import Board
from codesign.golden import image_codes, run
from codesign.program.program import Program
from codesign.selftest import network
from hw.self_test import Frame, digest_of

BEAT_BYTES = 8
PICTURE = 11  #: seed of the picture


def tiny_frame(board: Board) -> Frame:
    """The tiny detector on the board's accelerator."""
    codes = image_codes(network.pictures(1, PICTURE)[0])
    return frame(network.program(board), codes, run(network.graph(), codes), dict(network.graph().outputs))


def frame(program: Program, codes: np.ndarray, golden: dict[str, np.ndarray], outputs: dict[str, str]) -> Frame:
    """Memory before the frame, and what its outputs must be: by ``golden``, not by the accelerator.

    Raises ValueError where outputs are stored in planes of several sizes.
    """
    lanes = program.config.lanes
    memory = np.zeros(-(-program.dram_bytes // 128) * 128, np.uint8)
    memory[: program.content.size] = program.content
    program.write_input(memory, codes)
    wanted, counted, sizes = np.zeros_like(memory), np.zeros_like(memory), {}
    for role, tensor in program.outputs.items():
        tensor.write(wanted, golden[outputs[role]], lanes)
        tensor.write(counted, np.full(tensor.shape, -1, np.int8), lanes)
        sizes |= dict.fromkeys(tensor.planes, (tensor.shape[1] >> tensor.up) * (tensor.shape[2] >> tensor.up) * lanes)
    if len(set(sizes.values())) != 1 or any(tensor.up for tensor in program.outputs.values()):
        raise ValueError("outputs of several sizes")
    size, planes = next(iter(sizes.values())), sorted(sizes)
    beats = lanes // BEAT_BYTES
    digest = 0
    for plane in planes:
        digest = digest_of(_rows(wanted[plane : plane + size] & counted[plane : plane + size]), digest)
    return Frame(
        content=tuple(_rows(memory)),
        instructions=len(program.instructions),
        planes=tuple(plane // BEAT_BYTES for plane in planes),
        rows=size // BEAT_BYTES,
        masks=tuple(tuple(_rows(counted[plane : plane + lanes]))[:beats] for plane in planes),
        digest=digest,
    )


def _rows(memory: np.ndarray) -> list[int]:
    return [int(row) for row in np.ascontiguousarray(memory).view("<u8")]

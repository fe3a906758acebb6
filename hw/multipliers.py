# SPDX-License-Identifier: Apache-2.0
"""How the multipliers of the pointwise array are laid out on a device."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.program.config import AcceleratorConfig

QUAD = 4  #: DSPs in one cascade: two outputs of four lanes


@dataclass(frozen=True)
class Multipliers:
    """Layout of the array to synthesise; what is simulated has none, a plain ``*`` per product.

    quads: cascades of `QUAD` DSPs, each of which multiplies four lanes of two outputs; the rest is LUTs.
    primitives: DSP48E1 instances; otherwise registers and ``*`` that do the same, for any device.
    """

    quads: int
    primitives: bool = True

    def __post_init__(self) -> None:
        if self.quads < 0:
            raise ValueError(f"quads = {self.quads}: must not be negative")


def other_dsps(config: AcceleratorConfig) -> int:
    """DSPs outside the array: one per requantiser lane, and one address product per engine that walks an image."""
    lanes = config.array_out + config.depthwise_requant * config.depthwise_units
    slices = 1 if config.acc_bits <= 25 else 2  # the multiplier takes 25 bits of an accumulator
    return lanes * slices + 1 + config.depthwise_units


def multipliers(config: AcceleratorConfig, dsps: int, primitives: bool) -> Multipliers:
    """As many cascades as ``dsps`` allow beside everything else, at most the whole array."""
    most = config.lanes * config.array_out // (2 * QUAD)
    return Multipliers(max(0, min(most, (dsps - other_dsps(config)) // QUAD)), primitives)

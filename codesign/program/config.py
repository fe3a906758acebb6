# SPDX-License-Identifier: Apache-2.0
"""The one configuration that planner, hardware builder, simulator and reports read."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.errors import UserError


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True)
class AcceleratorConfig:
    """Shape of the accelerator. A *word* is one pixel of ``lanes`` int8 channels; a *beat* is one 64-bit AXI transfer.

    Raises `UserError` with the bad value and the rule when a combination cannot be built.
    """

    lanes: int = 32  #: channels per word, and inputs of the pointwise array
    array_out: int = 16  #: output channels of the pointwise array; lanes * array_out multipliers
    depthwise_units: int = 3  #: independent gather engines of ``lanes`` multipliers, one tap a cycle each
    acc_bits: int = 24  #: accumulator width, 24..32
    acc_depth: int = 512  #: output pixels one pointwise instruction may cover
    spad_words: int = 12288  #: scratchpad size in words
    spad_banks: int = 8  #: power of two; bank = address modulo spad_banks
    depthwise_requant: int = 4  #: requantised lanes per cycle of a depthwise unit
    queue_depth: int = 32  #: instructions an engine's queue holds
    pointwise_param_beats: int = 2048  #: parameter FIFO of the pointwise engine
    depthwise_param_beats: int = 512  #: parameter FIFO of each depthwise unit
    memory_ports: int = 2  #: AXI master ports: 2 = (activations, program and parameters), 1 = shared

    def __post_init__(self) -> None:
        rules = (
            ("lanes", self.lanes in (16, 32), "must be 16 or 32"),
            (
                "array_out",
                self.array_out in (4, 8, 16, 32) and self.array_out <= self.lanes,
                "must be 4, 8, 16 or 32, at most lanes",
            ),
            ("depthwise_units", 1 <= self.depthwise_units <= 5, "must be 1..5"),
            ("acc_bits", 24 <= self.acc_bits <= 32, "must be 24..32"),
            (
                "acc_depth",
                _power_of_two(self.acc_depth) and 32 <= self.acc_depth <= 4096,
                "must be a power of two, 32..4096",
            ),
            (
                "spad_banks",
                _power_of_two(self.spad_banks) and self.spad_banks <= 16,
                "must be a power of two up to 16",
            ),
            (
                "spad_words",
                256 <= self.spad_words <= 65536 and self.spad_words % self.spad_banks == 0,
                "must be a multiple of spad_banks, 256..65536",
            ),
            (
                "depthwise_requant",
                self.depthwise_requant in (1, 2, 4, 8, 16) and 2 * self.depthwise_requant <= self.lanes,
                "must be 1, 2, 4, 8 or 16, at most half of lanes",
            ),
            ("queue_depth", 2 <= self.queue_depth <= 64, "must be 2..64"),
            ("pointwise_param_beats", _power_of_two(self.pointwise_param_beats), "must be a power of two"),
            ("depthwise_param_beats", _power_of_two(self.depthwise_param_beats), "must be a power of two"),
            ("memory_ports", self.memory_ports in (1, 2), "must be 1 or 2"),
        )
        for name, ok, rule in rules:
            if not ok:
                raise UserError(f"accelerator setting {name} = {getattr(self, name)}: {rule}")

    @property
    def word_bytes(self) -> int:
        return self.lanes

    @property
    def word_beats(self) -> int:
        """64-bit beats per word."""
        return self.lanes // 8

    @property
    def groups(self) -> int:
        """Output groups of ``array_out`` channels that share one word."""
        return self.lanes // self.array_out

    @property
    def engines(self) -> tuple[str, ...]:
        """Engine names in the order of their numbers (see `isa.Engine`)."""
        return ("load", "store", "pointwise", *(f"depthwise{i}" for i in range(self.depthwise_units)))

    @property
    def array_macs(self) -> int:
        """Multipliers of the pointwise array."""
        return self.lanes * self.array_out

    @property
    def depthwise_macs(self) -> int:
        """Multipliers of all depthwise units."""
        return self.lanes * self.depthwise_units

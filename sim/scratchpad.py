# SPDX-License-Identifier: Apache-2.0
"""What an engine sees of the accelerator, as models for its bench: scratchpad ports and control pulses."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.program.config import AcceleratorConfig
from hw.layouts import ADDRESS_BITS, write_payload
from sim.streams import Sink, Ticker


@dataclass(frozen=True)
class Write:
    """One scratchpad write as it was handshaken."""

    cycle: int
    port: int
    addr: int
    data: int
    mask: int


class _ReadPort:
    def __init__(self, model: ScratchpadModel, prefix: str):
        self.model = model
        self.addresses = Sink(model.dut, f"{prefix}__request", model.rng, model.stall)
        self.valid = getattr(model.dut, f"{prefix}__valid")
        self.data = getattr(model.dut, f"{prefix}__data")
        self.pipe: deque[int | None] = deque([None] * (model.latency - 1))
        self.valid.value = 0

    def tick(self) -> None:
        """Runs after its sink: an address taken at this edge gives its word ``latency`` cycles later."""
        taken = self.addresses.received.popleft() if self.addresses.received else None
        self.pipe.append(None if taken is None else self.model.word(taken))
        word = self.pipe.popleft()
        self.valid.value = int(word is not None)
        self.data.value = word if word is not None else self.model.rng.getrandbits(8 * self.model.lanes)


class ScratchpadModel:
    """Serves `hw.ports.ScratchpadRead` and `ScratchpadWrite` ports of a bench from one NumPy array.

    ``memory[address, lane]`` (uint8) is the content; fill it before, compare it after. A request waits with
    probability ``stall`` a cycle; a word comes exactly ``latency`` cycles after its grant, and holds every
    write handshaken before that grant's cycle. While no word comes, the data port carries noise. ``writes``
    lists every write in order.
    """

    def __init__(
        self,
        dut: Any,
        config: AcceleratorConfig,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        rng: random.Random | None = None,
        stall: float = 0.0,
        latency: int = 3,
    ):
        self.dut, self.lanes, self.stall, self.latency = dut, config.lanes, stall, latency
        self.rng = rng or random.Random("scratchpad")
        self.memory = np.zeros((1 << ADDRESS_BITS, config.lanes), np.uint8)
        self.words = config.spad_words
        self.writes: list[Write] = []
        self.read_count = 0
        self.ticker = Ticker.of(dut)
        self._reads = [_ReadPort(self, prefix) for prefix in reads]
        layout = write_payload(config)
        self._writes = [Sink(dut, f"{prefix}__request", self.rng, stall, layout) for prefix in writes]
        self._fields = {name: (field.offset, (1 << field.width) - 1) for name, field in layout}
        self.ticker.agents.append(self)

    def word(self, address: int) -> int:
        """Content of one word as an integer, lane 0 lowest."""
        assert address < self.words, f"scratchpad read of word {address}, it has {self.words}"
        self.read_count += 1
        return int.from_bytes(self.memory[address].tobytes(), "little")

    def load(self, address: int, words: np.ndarray) -> None:
        """Put int8 or uint8 ``words[n, lanes]`` at ``address``."""
        words = np.ascontiguousarray(words)
        self.memory[address : address + len(words)] = words.view(np.uint8)

    def tick(self) -> None:
        for port in self._reads:  # before the writes: a read in the same cycle sees the old word
            port.tick()
        for number, sink in enumerate(self._writes):
            while sink.received:
                self._write(number, sink.received.popleft())

    def _write(self, port: int, payload: int) -> None:
        fields = {name: (payload >> offset) & mask for name, (offset, mask) in self._fields.items()}
        write = Write(self.ticker.cycle, port, fields["addr"], fields["data"], fields["mask"])
        assert write.addr < self.words, f"scratchpad write to word {write.addr}, it has {self.words}"
        self.writes.append(write)
        data = np.frombuffer(write.data.to_bytes(self.lanes, "little"), np.uint8)
        lanes = np.array([write.mask >> lane & 1 for lane in range(self.lanes)], bool)
        self.memory[write.addr, lanes] = data[lanes]


class EngineMonitor:
    """Records the pulses of `hw.ports.EngineControl`: (cycle, index) of retirements, (cycle, code, index) of
    faults, and how many cycles each activity code was shown. ``prefix`` is "control__" when the signature is
    a member called control."""

    def __init__(self, dut: Any, prefix: str = ""):
        names = ("retire", "retire_index", "fault", "fault_code", "fault_index", "activity")
        self._ports = {name: getattr(dut, prefix + name) for name in names}
        self.ticker = Ticker.of(dut)
        self.retired: list[tuple[int, int]] = []
        self.faults: list[tuple[int, int, int]] = []
        self.activity: dict[int, int] = {}
        self.ticker.agents.append(self)

    def _value(self, name: str) -> int:
        return int(self._ports[name].value)

    def tick(self) -> None:
        if self._value("retire"):
            self.retired.append((self.ticker.cycle, self._value("retire_index")))
        if self._value("fault"):
            self.faults.append((self.ticker.cycle, self._value("fault_code"), self._value("fault_index")))
        shown = self._value("activity")
        self.activity[shown] = self.activity.get(shown, 0) + 1

    async def wait(self, count: int, limit: int = 100_000) -> None:
        """Wait until ``count`` instructions have retired; a fault or ``limit`` cycles fail."""
        for _ in range(limit):
            assert not self.faults, f"fault {self.faults[0]}"
            if len(self.retired) >= count:
                return
            await self.ticker.edge()
        raise TimeoutError(f"{len(self.retired)} of {count} instructions retired in {limit} cycles")

# SPDX-License-Identifier: Apache-2.0
"""The simulated accelerator: a Verilated top and its DRAM, used as a `codesign.runtime.device.Device`.

library = verilate.build(verilog_text, config, folder, print)
device = SimulatedDevice(library, config, board.dram, size=16 << 20)
memory = device.allocate(1 << 20)      # NumPy, read and written in place by the C++ side
device.register_write(Register.CONTROL, 1)
device.wait(progress=print)
device.writes(0), device.events(2), device.traffic()
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.boards import Dram
from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig
from codesign.program.registers import Counter, Register
from codesign.runtime.device import Allocation, Progress

CHUNK = 100_000  #: cycles between two returns to Python (progress, Ctrl-C)
ALIGN = 4096
STALL_UNIT = 1024  #: stalls are chances in 1024, here and in dram.hpp
DONE_OR_FAULT = 0b110

EVENT = np.dtype(
    [("start", "<u4"), ("retire", "<u4"), ("index", "<u4"), ("activity", "<u4", (len(Counter),))]
)
NEVER = 0xFFFFFFFF  #: `retire` of an instruction that has not retired


class SimulationError(RuntimeError):
    """The design broke a rule of its memory or registers, or did not finish; says cycle and rule."""


@dataclass(frozen=True)
class Traffic:
    """What passed one AXI port."""

    read_bytes: int
    read_bursts: int
    write_bytes: int
    write_bursts: int


class _Memory(ctypes.Structure):
    """Same layout as `Memory` in dram.hpp."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("base", "latency", "bytes_per_cycle", "burst_beats")),
        *((name, ctypes.c_uint32) for name in ("outstanding", "stall")),
        ("seed", ctypes.c_uint64),
        ("error_low", ctypes.c_uint32),
        ("error_high", ctypes.c_uint32),
        ("lenient", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("silent_from", "silent_to", "outside_reads", "outside_writes")),
    )


_P, _U32, _U64, _INT = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int
_POINTER = ctypes.POINTER(ctypes.c_void_p)
_FUNCTIONS: dict[str, tuple[object, tuple[object, ...]]] = {
    "sim_new": (_P, (ctypes.POINTER(_Memory),)),
    "sim_delete": (None, (_P,)),
    "sim_message": (ctypes.c_char_p, (_P,)),
    "sim_run": (_INT, (_P, _U64)),
    "sim_write": (_INT, (_P, _U32, _U32)),
    "sim_read": (_INT, (_P, _U32, ctypes.POINTER(_U32))),
    "sim_reset": (_INT, (_P,)),
    "sim_cycles": (_U64, (_P,)),
    "sim_irq": (_INT, (_P,)),
    "sim_quiet": (_INT, (_P,)),
    "sim_record": (None, (_P, _U32)),
    "sim_clear": (None, (_P,)),
    "sim_error_range": (None, (_P, _U32, _U32)),
    "sim_silence": (None, (_P, _U64, _U64)),
    "sim_lenient": (None, (_P, _INT)),
    "sim_outside": (None, (_P, ctypes.POINTER(_U64))),
    "sim_traffic": (None, (_P, ctypes.POINTER(_U64))),
    "sim_writes": (_U64, (_P, ctypes.c_uint, _POINTER)),
    "sim_events": (_U64, (_P, ctypes.c_uint, _POINTER)),
    "sim_trace": (_INT, (_P, ctypes.c_char_p, _U64, _U64)),
}


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(
            f"cannot load the simulator {path}: {error}; delete its folder to build it again"
        ) from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class SimulatedDevice:
    """One accelerator in simulation, with ``size`` bytes of DRAM at address ``base``.

    ``stall`` (0..1) is a channel's chance a cycle to pause, from ``seed``; latencies then vary as well.
    ``record`` are the writers whose scratchpad writes are kept (default: all but load). Breaking a rule of
    `Dram` or of AXI raises `SimulationError`.
    """

    def __init__(
        self,
        library: Path,
        config: AcceleratorConfig,
        dram: Dram,
        size: int,
        base: int = 0,
        stall: float = 0.0,
        seed: int = 0,
        record: tuple[int, ...] | None = None,
    ):
        if base % ALIGN or size <= 0 or base + size > 1 << 32:
            raise UserError(
                f"memory of {size} bytes at {base:#x}: must lie below 4 GiB, at a multiple of {ALIGN}"
            )
        if not 0 <= stall < 1:
            raise UserError(f"stall = {stall}: must be at least 0 and less than 1")
        self.config, self.base = config, base
        self.buffer = np.zeros(size, np.uint8)  #: the DRAM
        self._taken = 0
        self._lib = _load(Path(library))
        pause = 0 if stall == 0 else max(1, round(stall * STALL_UNIT))
        pause = min(pause, STALL_UNIT - 1)
        self._memory = _Memory(
            data=self.buffer.ctypes.data,
            size=size,
            base=base,
            latency=dram.latency_cycles,
            bytes_per_cycle=dram.bytes_per_cycle,
            burst_beats=dram.burst_beats,
            outstanding=dram.outstanding,
            stall=pause,
            seed=seed,
        )
        self._sim: int | None = self._lib.sim_new(ctypes.byref(self._memory))
        self.writers = ("pointwise", *config.engines[3:], "load")
        kept = tuple(range(len(self.writers) - 1)) if record is None else record
        self._lib.sim_record(self._sim, sum(1 << writer for writer in kept))

    def close(self) -> None:
        """Free the simulation; monitors can no longer be read."""
        if self._sim is not None:
            self._lib.sim_delete(self._sim)
            self._sim = None

    def __del__(self) -> None:
        if hasattr(self, "_sim"):
            self.close()

    def _check(self, code: int) -> int:
        if code < 0:
            raise SimulationError(self._lib.sim_message(self._sim).decode())
        return code

    # -- codesign.runtime.device.Device

    def register_read(self, offset: int) -> int:
        value = _U32()
        self._check(self._lib.sim_read(self._sim, int(offset), ctypes.byref(value)))
        return value.value

    def register_write(self, offset: int, value: int) -> None:
        self._check(self._lib.sim_write(self._sim, int(offset), int(value)))

    def allocate(self, size: int) -> Allocation:
        start, end = self._taken, self._taken + size
        if end > len(self.buffer):
            free = len(self.buffer) - self._taken
            raise UserError(f"the simulated DRAM has {free} bytes left, {size} wanted: make it larger")
        self._taken = -(-end // ALIGN) * ALIGN
        return Allocation(self.base + start, self.buffer[start:end])

    def wait(self, progress: Progress | None = None, max_cycles: int = 1_000_000_000) -> None:
        """Run until done or fault; `SimulationError` when neither comes within ``max_cycles``."""
        if not self.run(max_cycles, progress):
            raise SimulationError(f"neither done nor fault after {max_cycles} cycles")

    # -- simulation only

    def run(self, max_cycles: int, progress: Progress | None = None) -> bool:
        """Run until done or fault (True), at most ``max_cycles``. Enables the interrupt. Back in Python,
        with a call of ``progress``, every `CHUNK` cycles, so that Ctrl-C works."""
        self.register_write(Register.IRQ, 1)
        began = self.cycle
        while (left := max_cycles - (self.cycle - began)) > 0:
            finished = self._check(self._lib.sim_run(self._sim, min(CHUNK, left)))
            if progress is not None:
                progress(self.cycle - began)
            if finished:
                return True
        return bool(self.register_read(Register.STATUS) & DONE_OR_FAULT)

    def advance(self, cycles: int) -> bool:
        """Run ``cycles`` clock cycles, or to the interrupt (True) if it is enabled and comes first."""
        while cycles > 0:
            if self._check(self._lib.sim_run(self._sim, min(CHUNK, cycles))):
                return True
            cycles -= CHUNK
        return False

    @property
    def cycle(self) -> int:
        """Clock cycles since the simulation began."""
        return self._lib.sim_cycles(self._sim)

    @property
    def quiet(self) -> bool:
        """No burst is outstanding on any port."""
        return bool(self._lib.sim_quiet(self._sim))

    def reset(self) -> None:
        """Hardware reset of four cycles; DRAM and monitors keep what they have."""
        self._check(self._lib.sim_reset(self._sim))

    def clear(self) -> None:
        """Forget what monitors and traffic counters hold."""
        self._lib.sim_clear(self._sim)

    def inject_errors(self, low: int, high: int) -> None:
        """Answer beats at addresses low..high-1 with SLVERR; (0, 0) ends it."""
        self._lib.sim_error_range(self._sim, low, high)

    def silence(self, first: int, last: int) -> None:
        """Memory takes and answers nothing in cycles first..last-1 (see `cycle`); (0, 0) ends it."""
        self._lib.sim_silence(self._sim, first, last)

    def answer_outside(self) -> None:
        """From now on bursts outside the memory are answered with DECERR, as a bus does, instead of ending the run."""
        self._lib.sim_lenient(self._sim, 1)

    @property
    def outside(self) -> tuple[int, int]:
        """Read and write bursts outside the memory so far."""
        raw = (_U64 * 2)()
        self._lib.sim_outside(self._sim, raw)
        return raw[0], raw[1]

    def traffic(self) -> tuple[Traffic, ...]:
        """Per AXI port, since the start or `clear`."""
        raw = (_U64 * 8)()
        self._lib.sim_traffic(self._sim, raw)
        return tuple(Traffic(*raw[4 * port : 4 * port + 4]) for port in range(self.config.memory_ports))

    def _array(self, function: str, number: int, dtype: np.dtype) -> np.ndarray:
        pointer = ctypes.c_void_p()
        count = getattr(self._lib, function)(self._sim, number, ctypes.byref(pointer))
        if not count:
            return np.zeros(0, dtype)
        raw = (ctypes.c_char * (count * dtype.itemsize)).from_address(pointer.value or 0)
        return np.frombuffer(raw, dtype).copy()

    def writes(self, writer: int) -> np.ndarray:
        """Scratchpad writes of ``self.writers[writer]`` in order: cycle, mask, addr, data[lanes] (int8)."""
        if not 0 <= writer < len(self.writers):
            raise IndexError(f"writer {writer}: there are {len(self.writers)}")
        fields = [("cycle", "<u4"), ("mask", "<u4"), ("addr", "<u2"), ("unused", "<u2")]
        return self._array("sim_writes", writer, np.dtype([*fields, ("data", "i1", (self.config.lanes,))]))

    def events(self, engine: int) -> np.ndarray:
        """Instructions of one engine in order: fields start, retire (cycles), index, activity[Counter].

        A cycle counts for the instruction started last; one that waits for tokens or work, for the next.
        """
        if not 0 <= engine < len(self.config.engines):
            raise IndexError(f"engine {engine}: there are {len(self.config.engines)}")
        return self._array("sim_events", engine, EVENT)

    def trace(self, path: Path, first_cycle: int, last_cycle: int) -> None:
        """Write a VCD of these cycles (the library must be built with ``waves=True``)."""
        if not self._lib.sim_trace(self._sim, str(path).encode(), first_cycle, last_cycle + 1):
            raise UserError(f"cannot write the waveform {path}: build the simulator with waves=True")

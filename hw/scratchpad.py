# SPDX-License-Identifier: Apache-2.0
"""The banked scratchpad every engine reads and writes."""

from __future__ import annotations

from amaranth import Array, Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from hw.layouts import ADDRESS_BITS
from hw.ports import ScratchpadRead, ScratchpadWrite

LATENCY = 4  #: cycles from a read's handshake to its word, when no other client wants the bank


def pick(chosen: Value, values: list[Value]) -> Value:
    """The value whose number has bit ``i`` of ``chosen`` set (one hot), as a binary tree: two LUTs a bit for five
    values, half of what a priority chain takes. Any value when nothing is chosen."""
    numbers = range(len(values))
    bits = [
        Cat(chosen[n] for n in numbers if n >> bit & 1).any() for bit in range((len(values) - 1).bit_length())
    ]

    def tree(first: int, level: int) -> Value:
        if level == 0:
            return values[first]
        upper = first + (1 << level - 1)
        below = tree(first, level - 1)
        return Mux(bits[level - 1], tree(upper, level - 1), below) if upper < len(values) else below

    return tree(0, len(bits))


class RoundRobin(Elaboratable):
    """One-hot grant to one of ``count`` requests, combinational; the client just served comes last next time.

    Members: ``requests``, ``grant`` (both ``count`` bits); the order advances in every cycle with a grant and
    ``served``, which is 1 unless driven.
    """

    def __init__(self, count: int):
        self.requests = Signal(count)
        self.grant = Signal(count)
        self.served = Signal(init=1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = len(self.requests)
        later = Signal(count)  # clients behind the one served last
        preferred = Signal(count)
        m.d.comb += preferred.eq(self.requests & later)
        pool = Signal(count)
        m.d.comb += pool.eq(Mux(preferred.any(), preferred, self.requests))
        m.d.comb += [self.grant[i].eq(pool[i] & ~pool[:i].any()) for i in range(count)]
        with m.If(self.requests.any() & self.served):
            m.d.sync += [later[i].eq(self.grant[:i].any()) for i in range(count)]
        return m


class RequestBuffer(wiring.Component):
    """Two entries in front of a client's arbitration, so that ``ready`` is a register.

    One request a cycle, one cycle of latency. Members: ``i`` and ``o``, streams of addresses.
    """

    def __init__(self) -> None:
        addresses = stream.Signature(ADDRESS_BITS)
        super().__init__({"i": In(addresses), "o": Out(addresses)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spare = Signal(ADDRESS_BITS, reset_less=True)
        spare_valid = Signal()
        m.d.comb += self.i.ready.eq(~spare_valid)
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | spare_valid),
                self.o.payload.eq(Mux(spare_valid, spare, self.i.payload)),
                spare_valid.eq(0),
            ]
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [spare_valid.eq(1), spare.eq(self.i.payload)]
        return m


class Scratchpad(wiring.Component):
    """``spad_words`` words in ``spad_banks`` banks (bank = address modulo banks), one read and one write a cycle each.

    Reader 0 always wins its bank and its ``ready`` is constantly 1; the other readers take turns behind it, bank by
    bank, and so do the writers: none of them starves another. A word arrives `LATENCY` cycles after its request's
    handshake, later by the cycles it waited for its bank, in the order of the client's requests; every client can
    make one request a cycle. A write takes effect in the cycle of its handshake.

    An address of ``spad_words`` or more pulses the client's error bit in the cycle after its handshake; such a read
    returns some word, such a write is dropped. There is no order between clients, beyond that of the handshakes.

    Parameters: ``config``; ``readers`` and ``writers``, the numbers of clients.
    Members: ``read`` and ``write``, arrays of ports; ``read_error`` and ``write_error``, one bit a client.
    """

    def __init__(self, config: AcceleratorConfig, readers: int, writers: int):
        self.config = config
        self.readers = readers
        self.writers = writers
        super().__init__(
            {
                "read": In(ScratchpadRead(config)).array(readers),
                "write": In(ScratchpadWrite(config)).array(writers),
                "read_error": Out(readers),
                "write_error": Out(writers),
            }
        )

    @property
    def _bank_bits(self) -> int:
        return self.config.spad_banks.bit_length() - 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = data.ArrayLayout(8, self.config.lanes)
        requests = [self._request(m, i) for i in range(self.readers)]
        read_bits, write_bits, words = [], [], []
        for bank in range(self.config.spad_banks):
            depth = self.config.spad_words // self.config.spad_banks
            m.submodules[f"bank{bank}"] = memory = Memory(shape=word, depth=depth, init=[])
            write_bits.append(self._write_side(m, bank, memory.write_port(granularity=1)))
            port = memory.read_port()
            read_bits.append(self._read_side(m, bank, port, requests))
            words.append(register := Signal(8 * self.config.lanes, name=f"word{bank}", reset_less=True))
            m.d.sync += register.eq(port.data)  # the block RAM's output register
        for i, (request, port) in enumerate(zip(requests, self.read)):
            m.d.comb += request.ready.eq(Cat(bits[i] for bits in read_bits).any())
            self._answer(m, i, request, port, words)
        for i, port in enumerate(self.write):
            m.d.comb += port.request.ready.eq(Cat(bits[i] for bits in write_bits).any())
            self._check(m, port.request, port.request.payload.addr, self.write_error[i])
        return m

    def _check(self, m: Module, request: stream.Interface, address: Value, error: Value) -> None:
        m.d.sync += error.eq(request.valid & request.ready & self._outside(address))

    def _outside(self, address: Value) -> Value:
        return address >= self.config.spad_words

    def _request(self, m: Module, i: int) -> stream.Interface:
        """The client's request as the arbitration sees it: one cycle late, so that no ready depends on a grant."""
        client = self.read[i].request
        self._check(m, client, client.payload, self.read_error[i])
        if i:
            m.submodules[f"request{i}"] = buffer = RequestBuffer()
            wiring.connect(m, wiring.flipped(client), buffer.i)
            return buffer.o
        first = stream.Signature(ADDRESS_BITS).create(path=("request0",))
        m.d.comb += client.ready.eq(1)
        m.d.sync += [first.valid.eq(client.valid), first.payload.eq(client.payload)]
        return first

    def _wants(self, request: stream.Interface, address: Value, bank: int) -> Value:
        return request.valid & (address[: self._bank_bits] == bank)

    def _read_side(self, m: Module, bank: int, port: object, requests: list[stream.Interface]) -> Value:
        """Arbitrate bank ``bank``'s read port; the answer has a bit for every client."""
        wants = [self._wants(request, request.payload, bank) for request in requests]
        grant = Signal(self.readers, name=f"read_grant{bank}")
        m.d.comb += grant[0].eq(wants[0])
        if self.readers > 1:
            m.submodules[f"read_turn{bank}"] = turn = RoundRobin(self.readers - 1)
            m.d.comb += turn.requests.eq(Mux(wants[0], 0, Cat(wants[1:])))
            m.d.comb += grant[1:].eq(turn.grant)
        m.d.comb += port.en.eq(grant.any())
        m.d.comb += port.addr.eq(pick(grant, [request.payload[self._bank_bits :] for request in requests]))
        return grant

    def _write_side(self, m: Module, bank: int, port: object) -> Value:
        """Arbitrate bank ``bank``'s write port; the answer has a bit for every client."""
        requests = [port.request for port in self.write]
        m.submodules[f"write_turn{bank}"] = turn = RoundRobin(self.writers)
        m.d.comb += turn.requests.eq(Cat(self._wants(r, r.payload.addr, bank) for r in requests))
        payload = Signal(requests[0].payload.shape(), name=f"write{bank}")
        m.d.comb += [
            payload.eq(pick(turn.grant, [request.payload.as_value() for request in requests])),
            port.addr.eq(payload.addr[self._bank_bits :]),
            port.data.eq(payload.data),
        ]
        with m.If(turn.grant.any() & ~self._outside(payload.addr)):
            m.d.comb += port.en.eq(payload.mask)
        return turn.grant

    def _answer(
        self, m: Module, i: int, request: stream.Interface, port: wiring.PureInterface, words: list[Signal]
    ) -> None:
        """Carry the bank's number beside the read and pick its word: grant, memory, bank register, port."""
        stages = LATENCY - 2  # the request's and the answer's registers are the other two
        valid = request.valid & request.ready
        bank = request.payload[: self._bank_bits]
        for stage in range(stages):
            late = Signal(name=f"valid{i}_{stage}")
            late_bank = Signal(self._bank_bits, name=f"bank{i}_{stage}", reset_less=True)
            m.d.sync += [late.eq(valid), late_bank.eq(bank)]
            valid, bank = late, late_bank
        answer = Signal(8 * self.config.lanes, name=f"answer{i}", reset_less=True)
        answer_valid = Signal(name=f"answer_valid{i}")
        m.d.sync += answer_valid.eq(valid)
        with m.If(valid):
            m.d.sync += answer.eq(Array(words)[bank])
        m.d.comb += [port.valid.eq(answer_valid), port.data.eq(answer)]

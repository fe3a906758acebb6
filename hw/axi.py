# SPDX-License-Identifier: Apache-2.0
"""AXI4 and AXI4-Lite as Amaranth signatures, and the payloads of the internal burst streams."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

DATA_BITS = 64
BEAT_BYTES = DATA_BITS // 8
MAX_BEATS = 16  #: beats of one burst
BOUNDARY = MAX_BEATS * BEAT_BYTES  #: no burst crosses a multiple of this
MAX_OUTSTANDING = 8  #: bursts per port and direction

SIZE = 3  #: AxSIZE: 8 bytes a beat
INCR = 1  #: AxBURST
CACHE = 0b0011  #: AxCACHE: normal, non-cacheable, bufferable
OKAY = 0


def _address(channel: str) -> dict[str, wiring.Member]:
    widths = {
        "id": 1,
        "addr": 32,
        "len": 8,
        "size": 3,
        "burst": 2,
        "lock": 1,
        "cache": 4,
        "prot": 3,
        "qos": 4,
    }
    members = {f"{channel}{name}": Out(width) for name, width in widths.items()}
    return members | {f"{channel}valid": Out(1), f"{channel}ready": In(1)}


READ: dict[str, wiring.Member] = _address("ar") | {
    "rid": In(1),
    "rdata": In(DATA_BITS),
    "rresp": In(2),
    "rlast": In(1),
    "rvalid": In(1),
    "rready": Out(1),
}

WRITE: dict[str, wiring.Member] = _address("aw") | {
    "wdata": Out(DATA_BITS),
    "wstrb": Out(BEAT_BYTES),
    "wlast": Out(1),
    "wvalid": Out(1),
    "wready": In(1),
    "bid": In(1),
    "bresp": In(2),
    "bvalid": In(1),
    "bready": Out(1),
}

LITE_ADDRESS_BITS = 12

LITE: dict[str, wiring.Member] = {
    "awaddr": In(LITE_ADDRESS_BITS),
    "awprot": In(3),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(32),
    "wstrb": In(4),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(2),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(LITE_ADDRESS_BITS),
    "arprot": In(3),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(32),
    "rresp": Out(2),
    "rvalid": Out(1),
    "rready": In(1),
}

AxiRead = wiring.Signature(READ)  #: master's read channels
AxiWrite = wiring.Signature(WRITE)  #: master's write channels
AxiLite = wiring.Signature(LITE)  #: seen from the slave

#: One burst of ``len`` + 1 beats; ``last`` marks the last burst of its command.
Burst = data.StructLayout({"address": 32, "len": 4, "last": 1})
#: One beat of read data; ``last`` ends its burst, ``error`` tells of an error response.
Beat = data.StructLayout({"data": DATA_BITS, "error": 1, "last": 1})

Bursts = stream.Signature(Burst)
Beats = stream.Signature(Beat)


def flat(prefix: str, members: dict[str, wiring.Member]) -> dict[str, wiring.Member]:
    """``members`` as top-level ports called ``prefix`` + name."""
    return {prefix + name: member for name, member in members.items()}


def join(m: Module, top: Any, prefix: str, inner: Any, members: dict[str, wiring.Member]) -> None:
    """Connect the flat ports ``prefix`` + name of ``top`` to the same members of the block ``inner``."""
    for name, member in members.items():
        outer, port = getattr(top, prefix + name), getattr(inner, name)
        m.d.comb += outer.eq(port) if member.flow is Out else port.eq(outer)


def address_channel(m: Module, axi: Any, channel: str) -> None:
    """Drive the constant members of an address channel."""
    for name, value in {
        "id": 0,
        "size": SIZE,
        "burst": INCR,
        "lock": 0,
        "cache": CACHE,
        "prot": 0,
        "qos": 0,
    }.items():
        m.d.comb += getattr(axi, channel + name).eq(value)

# SPDX-License-Identifier: Apache-2.0
"""Names in the netlist that Yosys hands to nextpnr."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from codesign.timing.wrapper import TOP, inside, port

_FLIP_FLOP = "TRELLIS_FF"
#: What Yosys' autoname and nextpnr's packer append to the name of what a cell drives; Amaranth's own is `$signal`
_SUFFIX = re.compile(r"(_(TRELLIS_FF|TRELLIS_DPR16X4|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D|DP16KD)_|\$(?!signal)|\.\d+(\.|$)).*")


class Netlist:
    """``document``: what ``write_json`` wrote."""

    def __init__(self, document: dict[str, Any]):
        module = document["modules"][TOP]
        self._cells: dict[str, Any] = module["cells"]
        self._names: dict[int, list[str]] = {}
        for name, net in module["netnames"].items():
            if not _SUFFIX.search(name):
                for bit, shown in _bits(name, net):
                    self._names.setdefault(bit, []).append(shown)
        self._ports = dict(bit for name, net in module["ports"].items() for bit in _bits(name, net))

    def register(self, cell: str) -> str:
        """Name in the source of the register ``cell``; of a memory or multiplier, with the kind of its cell."""
        start = _SUFFIX.sub("", cell)
        found = self._cells.get(cell, {})
        if found.get("type") != _FLIP_FLOP:
            kind = found.get("type") or ("RAM" if "RAM" in cell else "")
            return f"{inside(start)} ({kind})" if kind else inside(start)
        at_port = self._port(found)
        if at_port is not None:
            return port(at_port)
        names = self._names.get(found["connections"]["Q"][0], [])
        if not names:
            return f"near {inside(start)}"  # Yosys made the register, of what that drives
        return inside(_clearest(names, start))

    def wrapper_registers(self) -> int:
        """Flip-flops that stand for neighbours and are not the engine's."""
        return sum(self._port(cell) is not None for cell in self._cells.values() if cell["type"] == _FLIP_FLOP)

    def _port(self, flip_flop: dict[str, Any]) -> str | None:
        """The port beside a register of the wrapper."""
        ends = (flip_flop["connections"][end][0] for end in ("DI", "Q"))
        return next((self._ports[bit] for bit in ends if bit in self._ports), None)


def _clearest(names: list[str], start: str) -> str:
    """Of a register's names: no port of a submodule, rather ``start``, short, and with the field of a structure."""

    def rank(name: str) -> tuple[bool, bool, int, str]:
        return "__" in name, name.split("[")[0] != start, len(name), name

    best = min(names, key=rank).split("[")[0]
    fields = [name for name in names if name.startswith(f"{best}.")]
    return min(fields or names, key=rank)


def _bits(name: str, net: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Every bit of a net that is a wire, with its name in the source."""
    for place, bit in enumerate(net["bits"]):
        if isinstance(bit, int):  # constants are text
            yield bit, name if len(net["bits"]) == 1 else f"{name}[{place + net.get('offset', 0)}]"

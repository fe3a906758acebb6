# SPDX-License-Identifier: Apache-2.0
"""Compiles cases of the extension's C++ kernels with g++, many in one library, and runs them on NumPy arrays."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hls4ml
import numpy as np

from hw.hls.config import constants, struct
from hw.hls.register import SOURCES

TEMPLATES = Path(hls4ml.__file__).parent / "templates" / "vivado"
CACHE = Path(tempfile.gettempdir()) / f"codesign-kernels-{os.getuid()}"
_LONG = "long long"


@dataclass(frozen=True)
class Case:
    """One kernel with its configuration; ``offsets`` channels, 0 for none. ``data`` and results are (C, H, W) int8."""

    function: str
    attributes: dict[str, Any]
    offsets: int = 0
    weighted: bool = True

    def text(self, number: int) -> str:
        """An ``extern "C"`` function around the kernel."""
        a, v = self.attributes, constants(self.attributes)
        data, res, off = (f"nnet::array<ap_int<8>, {n}>" for n in (v["n_chan"], v["n_filt"], max(1, self.offsets)))
        config = f"config{number}"
        types, names = [data, *([off] if self.offsets else []), res], ["data", *(["offsets"] if self.offsets else []), "res"]
        lines = [struct(config, a), f'extern "C" void run{number}(const {_LONG} **in, {_LONG} *out) {{',
                 f"    hls::stream<{data}> data; hls::stream<{off}> offsets; hls::stream<{res}> res;",
                 _fill(data, "data", "in[0]", f"{v['in_height']} * {v['in_width']}")]  # fmt: skip
        if self.offsets:
            lines.append(_fill(off, "offsets", "in[5]", f"{v['out_height']} * {v['out_width']}"))
        if self.weighted:
            channels = v["n_filt"]
            lines += _array("w", f"ap_int<{a['weight_bits']}>", a["weights"], 1) + _array("m", "codesign_nnet::multiplier_t", channels, 2)
            lines += _array("s", "codesign_nnet::shift_t", channels, 3) + _array("b", "codesign_nnet::bias_t", channels, 4)
            types.append(f"ap_int<{a['weight_bits']}>")
            names += ["w", "m", "s", "b"]
        lines.append(f"    codesign_nnet::{self.function}<{', '.join([*types, config])}>({', '.join(names)});")
        lines.append(f"    for (int i = 0; !res.empty(); i++) {{ {res} word = res.read();")
        lines.append(f"        for (int c = 0; c < {v['n_filt']}; c++) out[i * {v['n_filt']} + c] = word[c].to_int(); }}\n}}\n")
        return "\n".join(lines)


def _fill(kind: str, stream: str, source: str, pixels: str) -> str:
    return (f"    for (int i = 0; i < {pixels}; i++) {{ {kind} word; for (unsigned c = 0; c < {kind}::size; c++)"
            f" word[c] = {source}[i * {kind}::size + c]; {stream}.write(word); }}")  # fmt: skip


def _array(name: str, kind: str, size: Any, index: int) -> list[str]:
    return [f"    static {kind} {name}[{size}];", f"    for (int i = 0; i < {size}; i++) {name}[i] = in[{index}][i];"]


def build(cases: Sequence[Case]) -> ctypes.CDLL:
    """A library with ``run0`` ... for the cases; compiled once for the same text."""
    includes = ["#include <cassert>", '#include "ap_int.h"', '#include "ap_fixed.h"', '#include "nnet_utils/nnet_types.h"']
    includes += [f'#include "{path}"' for path in sorted(SOURCES.glob("*.h"))]
    text = "\n".join([*includes, *(case.text(n) for n, case in enumerate(cases))])
    sources = "".join(path.read_text() for path in sorted(SOURCES.glob("*.h")))
    library = CACHE / f"{hashlib.sha256((text + sources).encode()).hexdigest()[:24]}.so"
    if not library.exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        source = library.with_suffix(f".{os.getpid()}.cpp")
        source.write_text(text)
        partial = library.with_suffix(f".{os.getpid()}.partial")
        command = ["g++", "-std=c++11", "-O1", "-shared", "-fPIC", "-w", f"-I{TEMPLATES}", f"-I{TEMPLATES}/ap_types", f"-I{TEMPLATES}/nnet_utils",
                   str(source), "-o", str(partial)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        partial.replace(library)
    return ctypes.CDLL(str(library))


def run(library: ctypes.CDLL, number: int, case: Case, inputs: Sequence[np.ndarray], parameters: Sequence[np.ndarray] = ()) -> np.ndarray:
    """Result int8 (n_filt, H, W). ``inputs``: data and, for a deformable kernel, offsets, each (C, H, W)."""
    v = constants(case.attributes)
    height, width = int(v["out_height"]), int(v["out_width"])
    if case.function == "upsample":
        height, width = 2 * height, 2 * width
    empty = np.zeros(1, np.int64)
    arrays = [inputs[0].transpose(1, 2, 0), *(parameters or [empty] * 4), inputs[1].transpose(1, 2, 0) if len(inputs) > 1 else empty]
    wide = [np.ascontiguousarray(each, dtype=np.int64) for each in arrays]
    pointers = (ctypes.POINTER(ctypes.c_longlong) * len(wide))(*[each.ctypes.data_as(ctypes.POINTER(ctypes.c_longlong)) for each in wide])
    out = np.full((height, width, int(v["n_filt"])), 999, np.int64)
    getattr(library, f"run{number}")(pointers, out.ctypes.data_as(ctypes.POINTER(ctypes.c_longlong)))
    return out.transpose(2, 0, 1)

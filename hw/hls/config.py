# SPDX-License-Identifier: Apache-2.0
"""The C++ configuration of one layer, from its attributes: every constant that a kernel's loops and memories need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hw.hls.rows import FIXED, Rows, deform_rows, window_rows

#: what an attribute is where a layer does not say
DEFAULTS: dict[str, Any] = {
    "kernel_height": 1, "kernel_width": 1, "stride": 1, "pad": 0, "form": FIXED, "bound": 0, "zero_in": 0, "zero_out": 0,
    "lo": -128, "hi": 127, "acc_bits": 24, "parallel": 1, "start": 0, "groups": 1,
}  # fmt: skip


def filled(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """``attributes`` with what they leave out; ``n_filt`` (output channels) is ``n_chan`` where not given."""
    given = {key: value for key, value in attributes.items() if value is not None}
    return {"n_filt": given.get("n_chan"), **DEFAULTS, **given}


def layer_rows(a: Mapping[str, Any]) -> Rows:
    """The rows a layer's ring holds."""
    if a["form"] == FIXED:
        return window_rows(a["in_height"], a["kernel_height"], a["stride"], a["pad"])
    return deform_rows(a["in_height"], a["kernel_height"], a["form"], a["bound"])


def out_size(a: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of a window's output."""
    if a["form"] != FIXED:
        return a["in_height"], a["in_width"]
    columns = window_rows(a["in_width"], a["kernel_width"], a["stride"], a["pad"])
    return layer_rows(a).out_height, columns.out_height


def constants(attributes: Mapping[str, Any]) -> dict[str, int | str]:
    """Names and values of the configuration struct. Raises ValueError for a layer the kernels cannot hold."""
    a = filled(attributes)
    height, width = out_size(a)
    rows = layer_rows(a)
    taps = a["kernel_height"] * a["kernel_width"]
    values: dict[str, int | str] = {
        name: int(a[name])
        for name in ("in_height", "in_width", "n_chan", "n_filt", "kernel_height", "kernel_width", "stride", "pad",
                     "zero_in", "zero_out", "lo", "hi", "parallel", "start", "groups")
    }  # fmt: skip
    values.update(out_height=height, out_width=width, above=rows.above, below=rows.below, rows=rows.ring)
    values.update(steps=rows.steps, columns=max(a["in_width"], width), taps=taps, products=taps * a["n_chan"])
    values["form"] = f"codesign_nnet::{a['form'].upper()}"
    return values


def struct(name: str, attributes: Mapping[str, Any]) -> str:
    """The C++ text of `constants`, with the accumulator's type."""
    lines = [f"struct {name} {{"]
    for key, value in constants(attributes).items():
        kind = "codesign_nnet::offset_form" if key == "form" else "int" if key in _SIGNED else "unsigned"
        lines.append(f"    static const {kind} {key} = {value};")
    lines.append(f"    typedef ap_int<{filled(attributes)['acc_bits']}> acc_t;")
    return "\n".join([*lines, "};\n"])


_SIGNED = ("zero_in", "zero_out", "lo", "hi", "above", "below")

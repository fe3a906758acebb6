# SPDX-License-Identifier: Apache-2.0
"""Quant, QuantizeLinear and DequantizeLinear of activations: here sums become codes."""

from __future__ import annotations

from dataclasses import replace

from codesign.onnx.model import Operator, Unsupported
from codesign.onnx.quantiser import Quantiser, linear_quantiser, quant_quantiser
from codesign.onnx.state import State
from codesign.onnx.values import Codes, Raw, Unknown


def quant(state: State, operator: Operator) -> str:
    """QONNX: on the grid and back."""
    quantiser = quant_quantiser(state.model, operator)
    made = state.quantise(state.value(operator), quantiser, operator.outputs[0], operator.name)
    state.values[operator.outputs[0]] = made
    return described(quantiser)


def quantize_linear(state: State, operator: Operator) -> str:
    """To integers."""
    quantiser = linear_quantiser(state.model, operator)
    value = state.value(operator)
    if isinstance(value, Codes) and value.integer:
        raise Unsupported("quantises integers", "put a DequantizeLinear before it")
    made = state.quantise(value, quantiser, operator.outputs[0], operator.name)
    state.values[operator.outputs[0]] = replace(made, integer=True)
    return described(quantiser)


def dequantize_linear(state: State, operator: Operator) -> str:
    """Back to reals, on the grid the integers were made with; integers of the network's input are its codes."""
    value, given = state.value(operator), state.model.kinds.get(operator.inputs[0], "")
    if isinstance(value, Codes) and value.integer:
        given = "uint8" if value.quantiser.shift else "int8"
    quantiser = linear_quantiser(state.model, operator, given if given in ("int8", "uint8") else "")
    if isinstance(value, Raw | Unknown):
        if isinstance(value, Raw) and given not in ("int8", "uint8"):
            raise Unsupported("takes the network's input, which is not int8 or uint8", "put a QuantizeLinear before it")
        made = state.quantise(value, quantiser, operator.inputs[0], operator.name)
        state.values[operator.inputs[0]] = replace(made, integer=True)
        state.values[operator.outputs[0]] = made
        return described(quantiser)
    if not isinstance(value, Codes) or not value.integer:
        raise Unsupported("takes what is not quantised", "put a QuantizeLinear before it")
    have = value.quantiser
    if not quantiser.same_grid(have.scale, have.zero_point) or quantiser.shift != have.shift:
        raise Unsupported("has another scale or zero point than the integers it takes", "use the same on both sides")
    state.values[operator.outputs[0]] = replace(value, integer=False)
    return "as quantised"


def described(quantiser: Quantiser) -> str:
    """For the listing."""
    lo, hi = quantiser.lo + quantiser.shift, quantiser.hi + quantiser.shift
    return f"codes {lo}..{hi}, scale {quantiser.scale:.6g}, zero point {quantiser.zero_point + quantiser.shift}"

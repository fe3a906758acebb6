# SPDX-License-Identifier: Apache-2.0
"""The two ways a quantiser is written: QONNX's Quant, or QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from codesign.graph.ir import Tensor
from codesign.numeric import CODE_MIN
from codesign.onnx.export.message import Message
from codesign.onnx.reader import QONNX_DOMAINS

_DEFORM_OPSET = 19
_QONNX_OPSET = 13


class Style(Protocol):
    """How quantisers of activations and of weights are written."""

    title: str
    has_codes: bool  #: whether there are tensors of integer codes

    def opsets(self, deformable: bool) -> dict[str, int]:
        """Versions by domain."""

    def activation(self, message: Message, source: str, tensor: Tensor, codes: str, real: str) -> str:
        """``source`` quantised: codes named ``codes`` where the style has them, reals named ``real``. Returns the name that
        importing gives the tensor."""

    def weight(self, message: Message, layer: str, codes: np.ndarray, scale: np.ndarray, bits: int) -> str:
        """Weights with one scale per output channel."""


class Quant:
    """QONNX: reals on a grid. An unsigned code where the zero point is the least code, as Brevitas writes it."""

    title = "QONNX"
    has_codes = False

    def opsets(self, deformable: bool) -> dict[str, int]:
        return {"": _DEFORM_OPSET if deformable else _QONNX_OPSET, QONNX_DOMAINS[0]: 1}

    def activation(self, message: Message, source: str, tensor: Tensor, codes: str, real: str) -> str:
        unsigned = tensor.zero_point == CODE_MIN
        zero = 0 if unsigned else tensor.zero_point
        self._quant(message, source, np.float32(tensor.scale), zero, 8, real, signed=0 if unsigned else 1)
        return real

    def weight(self, message: Message, layer: str, codes: np.ndarray, scale: np.ndarray, bits: int) -> str:
        wide = scale.reshape(-1, *[1] * (codes.ndim - 1))
        source = message.constant(f"{layer}.weight", codes.astype(np.float32) * wide)
        return self._quant(message, source, wide, 0, bits, message.tensor(f"{layer}.weight.quantised"), signed=1)

    def _quant(self, message: Message, source: str, scale: np.ndarray, zero: int, bits: int, output: str, signed: int) -> str:
        numbers = {"scale": scale, "zero_point": np.float32(zero), "bits": np.float32(bits)}
        given = [message.constant(f"{output}.{what}", value) for what, value in numbers.items()]
        settings = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return message.op("Quant", [source, *given], output, domain=QONNX_DOMAINS[0], **settings)


class Linear:
    """QDQ: standard operators, int8 codes between them."""

    title = "ONNX QDQ"
    has_codes = True

    def opsets(self, deformable: bool) -> dict[str, int]:
        return {"": _DEFORM_OPSET}

    def activation(self, message: Message, source: str, tensor: Tensor, codes: str, real: str) -> str:
        scale = message.constant(f"{tensor.name}.scale", np.float32(tensor.scale))
        zero = message.constant(f"{tensor.name}.zero_point", np.int8(tensor.zero_point))
        message.op("QuantizeLinear", [source, scale, zero], codes)
        message.op("DequantizeLinear", [codes, scale, zero], real)
        return codes

    def weight(self, message: Message, layer: str, codes: np.ndarray, scale: np.ndarray, bits: int) -> str:
        given = [message.constant(f"{layer}.weight", codes), message.constant(f"{layer}.weight.scale", scale)]
        return message.op("DequantizeLinear", given, message.tensor(f"{layer}.weight.real"), axis=0)


STYLES: dict[str, Style] = {"qonnx": Quant(), "onnx": Linear()}

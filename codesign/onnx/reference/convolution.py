# SPDX-License-Identifier: Apache-2.0
"""Conv, Gemm and MatMul in floating point."""

from __future__ import annotations

import numpy as np

from codesign.onnx.reference.windows import windows


def conv(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Convolution of data (N, C, ...) with weights (M, C / group, ...), any rank, stride, dilation and padding."""
    data, weight = inputs[0], inputs[1]
    group, outputs = attributes.get("group", 1), weight.shape[0]
    layout = windows(data.shape[2:], weight.shape[2:], attributes)
    padded = layout.padded(data, 0)
    total = np.zeros((data.shape[0], outputs, *layout.counts), np.result_type(data, weight))
    per_in, per_out = data.shape[1] // group, outputs // group
    for tap, view in layout.taps(padded):
        for g in range(group):
            part = view[:, g * per_in : (g + 1) * per_in]
            rows = weight[(slice(g * per_out, (g + 1) * per_out), slice(None), *tap)]
            total[:, g * per_out : (g + 1) * per_out] += np.einsum("oc,nc...->no...", rows, part)
    return [add_bias(total, inputs[2] if len(inputs) > 2 else None)]


def add_bias(total: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """``total`` (N, M, ...) plus ``bias`` (M,), if there is one."""
    return total if bias is None else total + bias.reshape(1, -1, *[1] * (total.ndim - 2))


def gemm(inputs: list, attributes: dict) -> list[np.ndarray]:
    """alpha · A · B + beta · C, with A or B transposed first where the attributes say so."""
    left = inputs[0].T if attributes.get("transA", 0) else inputs[0]
    right = inputs[1].T if attributes.get("transB", 0) else inputs[1]
    product = attributes.get("alpha", 1.0) * (left @ right)
    if len(inputs) > 2 and inputs[2] is not None:
        product = product + attributes.get("beta", 1.0) * inputs[2]
    return [product.astype(inputs[0].dtype)]


def matmul(inputs: list, attributes: dict) -> list[np.ndarray]:
    """NumPy's matrix product."""
    return [inputs[0] @ inputs[1]]

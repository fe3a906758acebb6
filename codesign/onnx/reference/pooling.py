# SPDX-License-Identifier: Apache-2.0
"""MaxPool, GlobalAveragePool and ReduceMean."""

from __future__ import annotations

import numpy as np

from codesign.onnx.reference.windows import windows


def max_pool(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Maximum over the positions inside the image, any rank and integer or float type; one output, without indices."""
    data = inputs[0]
    layout = windows(data.shape[2:], tuple(attributes["kernel_shape"]), attributes)
    least = np.iinfo(data.dtype).min if data.dtype.kind in "iu" else -np.inf
    padded = layout.padded(data, least)
    result = np.full((*data.shape[:2], *layout.counts), least, data.dtype)
    for _, view in layout.taps(padded):
        np.maximum(result, view, out=result)
    return [result]


def global_average_pool(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Mean over every spatial axis, kept with size 1."""
    return [inputs[0].mean(axis=tuple(range(2, inputs[0].ndim)), keepdims=True)]


def reduce_mean(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Mean over the axes that input 1 or attribute ``axes`` names, all by default, kept with size 1 unless ``keepdims`` is 0."""
    given = inputs[1] if len(inputs) > 1 else attributes.get("axes")
    axes = None if given is None or not len(given) else tuple(int(axis) for axis in given)
    if axes is None and attributes.get("noop_with_empty_axes", 0):
        return [inputs[0]]
    return [np.mean(inputs[0], axis=axes, keepdims=bool(attributes.get("keepdims", 1)), dtype=inputs[0].dtype)]

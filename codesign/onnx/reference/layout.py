# SPDX-License-Identifier: Apache-2.0
"""Operators that move values and change none."""

from __future__ import annotations

import numpy as np


def identity(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Its first input."""
    return [inputs[0]]


def concat(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Joined along ``axis``."""
    return [np.concatenate(inputs, axis=attributes["axis"])]


def split(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Cut along ``axis`` by `split_bounds`."""
    axis = attributes.get("axis", 0)
    bounds = split_bounds(inputs[0].shape[axis], inputs, attributes)
    return np.split(inputs[0], bounds[1:-1], axis=axis)


def split_bounds(size: int, inputs: list, attributes: dict) -> list[int]:
    """Where the parts begin, and the end: from input 1 or attribute ``split``, else equal parts, the last smaller.
    ``attributes["num_outputs"]`` is the number of parts."""
    lengths = inputs[1] if len(inputs) > 1 and inputs[1] is not None else attributes.get("split")
    if lengths is None:
        count = attributes["num_outputs"]
        each = -(-size // count)
        return [min(i * each, size) for i in range(count + 1)]
    return [0, *(int(end) for end in np.cumsum(lengths))]


def cut(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Slice: starts, ends, axes, steps as inputs 1 to 4."""
    data = inputs[0]
    return [data[tuple(slices(data.shape, inputs, attributes))]]


def slices(shape: tuple[int, ...], inputs: list, attributes: dict) -> list[slice]:
    """The Python slice of every axis."""
    starts, ends, axes, steps = [*inputs[1:], None, None, None, None][:4]
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    result = [slice(None)] * len(shape)
    for start, end, axis, step in zip(*([int(v) for v in values] for values in (starts, ends, axes, steps))):
        stop: int | None = end
        if step < 0 and end < -shape[axis]:
            stop = None  # down to the first element, which no negative index says
        result[axis % len(shape)] = slice(start, stop, step)
    return result


def reshape(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Another shape of the same values; 0 copies an axis unless ``allowzero``, -1 is what is left."""
    data = inputs[0]
    wanted = [int(n) for n in inputs[1]]
    if not attributes.get("allowzero", 0):
        wanted = [data.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return [data.reshape(wanted)]


def transpose(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Axes in the order ``perm``, reversed by default."""
    return [np.transpose(inputs[0], attributes.get("perm"))]


def flatten(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Two axes: those before ``axis``, and the others."""
    shape = inputs[0].shape
    axis = attributes.get("axis", 1)
    axis += len(shape) if axis < 0 else 0
    return [inputs[0].reshape(int(np.prod(shape[:axis], dtype=np.int64)), -1)]


def squeeze(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Without the axes of size 1 that input 1 or attribute ``axes`` names, or all of them."""
    axes = _axes(inputs, attributes)
    return [np.squeeze(inputs[0], None if axes is None else tuple(axes))]


def unsqueeze(inputs: list, attributes: dict) -> list[np.ndarray]:
    """With axes of size 1 at the places that input 1 or attribute ``axes`` names."""
    return [np.expand_dims(inputs[0], tuple(_axes(inputs, attributes) or ()))]


def _axes(inputs: list, attributes: dict) -> list[int] | None:
    given = inputs[1] if len(inputs) > 1 else attributes.get("axes")
    return None if given is None else [int(axis) for axis in given]


def gather(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Elements ``inputs[1]`` along ``axis``."""
    return [np.take(inputs[0], inputs[1].astype(np.int64), axis=attributes.get("axis", 0))]


def shape_of(inputs: list, attributes: dict) -> list[np.ndarray]:
    """The shape, from axis ``start`` to ``end``, int64."""
    sizes = np.array(inputs[0].shape, np.int64)
    return [sizes[attributes.get("start", 0) : attributes.get("end", len(sizes))]]

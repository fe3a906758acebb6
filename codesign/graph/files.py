# SPDX-License-Identifier: Apache-2.0
"""A graph on disk: one safetensors file, its structure as JSON in the metadata; never pickle.

4-bit weights are packed two to a byte (first code in the low nibble), so a file is about the published model size.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from codesign.bounded import MIB, check_size, reason
from codesign.errors import UserError
from codesign.graph.ir import (
    Add,
    Concat,
    Conv,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Node,
    Requant,
    Shuffle,
    Slice,
    Tensor,
    Upsample,
)
from codesign.graph.meta import check_meta
from codesign.graph.rules import check
from codesign.numeric import ACC_BITS

FORMAT = "codesign-graph-1"
_OPERATORS = {
    op.__name__: op
    for op in (Conv, DeformConv, MaxPool, Upsample, Slice, Concat, Shuffle, Add, GlobalAveragePool)
}
MAX_BYTES = 256 * MIB
_MAX_SIDE = 1 << 16  # of a shape read from a file; larger ones are refused before anything is allocated


def save_graph(graph: Graph, path: str | Path) -> None:
    """Write ``graph`` to ``path``, whole or not at all. Raises UserError where the file cannot be written."""
    arrays: dict[str, np.ndarray] = {}
    document = {
        "input": _tensor_json(graph.input),
        "tensors": [_tensor_json(t) for name, t in graph.tensors.items() if name != graph.input.name],
        "nodes": [_node_json(node, arrays) for node in graph.nodes],
        "outputs": graph.outputs,
        "meta": graph.meta,
    }
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    try:
        # safetensors writes an array's buffer as it lies, so transposed views must be copied first.
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        # not save_file, whose files only their owner can read
        partial.write_bytes(save(arrays, metadata={"format": FORMAT, "graph": json.dumps(document)}))
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error}; check the folder's space and permissions") from None


def load_graph(path: str | Path, acc_bits: int = ACC_BITS) -> Graph:
    """Read and check a graph. Raises UserError, one line, for anything that is not a sound graph file."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"model file {path} does not exist; give the path of a .safetensors file")
    check_size(path, MAX_BYTES)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise UserError(f"{path} is not a {FORMAT} file; write it with `codesign` lowering")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        graph = _graph_from(json.loads(metadata["graph"]), arrays)
        check_meta(graph)
        check(graph, acc_bits)
    except UserError as error:
        text = f"{path}: {error}" if str(path) not in str(error) else str(error)
        raise UserError(text if "; " in text else f"{text}; lower the model again") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        said = reason(f"{type(error).__name__}: {error}")
        raise UserError(f"{path} is corrupt or truncated ({said}); copy or create it again") from None
    except (AttributeError, OverflowError, MemoryError) as error:
        raise UserError(f"{path} is malformed ({type(error).__name__}); create it again") from None
    return graph


def _tensor_json(tensor: Tensor) -> list[Any]:
    return [tensor.name, list(tensor.shape), tensor.scale, tensor.zero_point]


def _tensor_from(row: list[Any]) -> Tensor:
    name, shape, scale, zero_point = row
    c, h, w = (_integer(side) for side in shape)
    if not (0 < c <= _MAX_SIDE and 0 < h <= _MAX_SIDE and 0 < w <= _MAX_SIDE):
        raise ValueError(f"tensor shape {shape}")
    return Tensor(_text(name), (c, h, w), float(scale), _integer(zero_point))


def _node_json(node: Node, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    row: dict[str, Any] = {"op": type(node).__name__}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, np.ndarray):
            bits = getattr(node, "weight_bits", 8)
            arrays[f"{node.name}.weight"] = pack_nibbles(value) if bits == 4 else value
            value = list(value.shape)
        elif isinstance(value, Requant):
            arrays[f"{node.name}.M"] = value.multiplier.astype(np.uint16)
            arrays[f"{node.name}.S"] = value.shift.astype(np.uint8)
            arrays[f"{node.name}.B"] = value.bias
            value = [value.zero_point, value.lo, value.hi]
        row[item.name] = value
    return row


def _node_from(row: dict[str, Any], arrays: dict[str, np.ndarray]) -> Node:
    row = dict(row)
    operator = _OPERATORS[row.pop("op")]
    name = _text(row["name"])
    row["inputs"] = tuple(_text(source) for source in row["inputs"])
    _text(row["output"])
    if "weight" in row:
        row["weight"] = _weight(arrays[f"{name}.weight"], row["weight"], _integer(row["weight_bits"]))
    if "requant" in row:
        zero_point, lo, hi = (_integer(v) for v in row["requant"])
        m, s, b = (_exact(arrays[f"{name}.{key}"], kind) for key, kind in _REQUANT_TYPES)
        row["requant"] = Requant(m, s, b, zero_point, lo, hi)
    if "multipliers" in row:
        first, second = row["multipliers"]
        row["multipliers"] = (_integer(first), _integer(second))
    for key in ("stride", "pad", "groups", "bound", "kernel", "start", "stop", "shift", "zero_point", "lo", "hi"):
        if key in row:
            _integer(row[key])
    return operator(**row)


_REQUANT_TYPES = (("M", np.uint16), ("S", np.uint8), ("B", np.int64))


def _graph_from(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Graph:
    source = _tensor_from(document["input"])
    tensors = {source.name: source}
    tensors.update((t.name, t) for t in (_tensor_from(row) for row in document["tensors"]))
    nodes = tuple(_node_from(row, arrays) for row in document["nodes"])
    outputs = {_text(role): _text(name) for role, name in document["outputs"].items()}
    return Graph(source, nodes, tensors, outputs, dict(document["meta"]))


def _exact(array: np.ndarray, kind: type) -> np.ndarray:
    if array.dtype != kind:
        raise ValueError(f"array of {array.dtype} where {np.dtype(kind)} belongs")
    return array.astype(np.int64)


def _weight(array: np.ndarray, shape: list[Any], bits: int) -> np.ndarray:
    sides = tuple(_integer(side) for side in shape)
    if any(not 0 < side <= _MAX_SIDE for side in sides):
        raise ValueError(f"weight shape {shape}")
    if bits == 4:
        if array.dtype != np.uint8:
            raise ValueError("packed weights are not bytes")
        return unpack_nibbles(array, sides)
    if array.dtype != np.int8 or array.shape != sides:
        raise ValueError(f"weight array {array.shape}, {array.dtype} where {sides}, int8 belongs")
    return array


def pack_nibbles(weight: np.ndarray) -> np.ndarray:
    """Bytes uint8 (ceil(size / 2),) of 4-bit codes in raster order, first code in the low nibble."""
    flat = weight.ravel().view(np.uint8) & 15
    flat = np.concatenate([flat, np.zeros(flat.size % 2, dtype=np.uint8)])
    return (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8)


def unpack_nibbles(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The int8 codes of ``shape`` that `pack_nibbles` packed. Raises ValueError on another number of bytes."""
    size = 1
    for side in shape:
        size *= side
    if packed.shape != ((size + 1) // 2,):
        raise ValueError(f"{packed.size} bytes of packed weights, {(size + 1) // 2} expected")
    codes = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)[:size].astype(np.int8)
    return np.where(codes > 7, codes - 16, codes).astype(np.int8).reshape(shape)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} where an integer belongs")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise TypeError(f"{str(value)[:40]!r} where a name belongs")
    return value

# SPDX-License-Identifier: Apache-2.0
"""Opens an ONNX file, which may be hostile: bounded in size, self-contained, checked by ONNX's own checker."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from codesign.errors import UserError

MAX_BYTES = 512 * 2**20
MAX_OPERATORS = 20_000
MAX_ELEMENTS = 2**28  # of one constant
MAX_NAME = 240  # characters: the integer graph's limit, less what importing appends
OPSET_MIN = 11
QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")


def read_model(path: str | Path) -> onnx.ModelProto:
    """The model in a file. Raises UserError, one line, for anything that is not a sound, self-contained ONNX model."""
    path = Path(path)
    if "\0" in str(path) or not path.is_file():
        raise UserError(f"model file {str(path)[:200]!r} does not exist; give the path of an .onnx file")
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check its permissions") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES >> 20} MiB; import a smaller model")
    try:
        return checked(parse(content))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(content: bytes) -> onnx.ModelProto:
    """The message in ``content``; UserError where there is none."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, RecursionError, ValueError) as error:
        raise UserError(f"not an ONNX file, or cut short ({one_line(error)}); export or copy it again") from None
    if not model.HasField("graph") or not model.graph.node:
        raise UserError("holds no network: it is empty or not an ONNX file; export or copy it again")
    return model


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model``, once it keeps to the limits and to ONNX's grammar. Raises UserError."""
    if len(model.graph.node) > MAX_OPERATORS:
        raise UserError(f"{len(model.graph.node)} operators, at most {MAX_OPERATORS}; import a smaller model")
    if model.functions:
        raise UserError(f"function {model.functions[0].name[:60]!r} inside the model; inline it with onnx.inliner")
    for tensor in model.graph.sparse_initializer:
        raise UserError(f"constant {tensor.values.name[:60]!r} is sparse; export it dense")
    _check_opset(model)
    for tensor in constants(model.graph):
        _check_tensor(tensor)
    for name in _names(model.graph):
        if isinstance(name, bytes) or len(name) > MAX_NAME or not name.isprintable():
            raise UserError(f"name {name[:60]!r} is not printable text of at most {MAX_NAME} characters; rename it")
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise UserError(f"not a valid ONNX model: {one_line(error)}; export it again") from None
    return model


def _check_opset(model: onnx.ModelProto) -> None:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if not versions or not OPSET_MIN <= versions[0] <= newest:
        found = versions[0] if versions else "none"
        raise UserError(f"opset {found}, want {OPSET_MIN} to {newest}; use onnx.version_converter.convert_version")


def constants(graph: onnx.GraphProto) -> Iterable[onnx.TensorProto]:
    """Initializers, and tensors that are attributes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_tensor(tensor: onnx.TensorProto) -> None:
    where = f"constant {tensor.name[:60]!r}"
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise UserError(f"{where} lies in another file; save the model as one file (save_as_external_data=False)")
    count = 1
    for side in tensor.dims:
        if side < 0:
            raise UserError(f"{where} has a side of {side}; export the model again")
        count *= side
    if count > MAX_ELEMENTS:
        raise UserError(f"{where} has {count} elements, at most {MAX_ELEMENTS}; import a smaller model")


def _names(graph: onnx.GraphProto) -> Iterable[str]:
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    yield from (value.name for value in (*graph.input, *graph.output, *graph.initializer))


def one_line(error: object) -> str:
    """The start of a message, in one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."

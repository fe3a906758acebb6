# SPDX-License-Identifier: Apache-2.0
"""An ONNX model while it is written: operators and constants, every name once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codesign import __version__

_IR_VERSION = 9


class Message:
    """``reserved`` are tensor names, ``nodes`` operator names that nothing invented may take."""

    def __init__(self, reserved: Iterable[str], nodes: Iterable[str]):
        self._tensors, self._names = set(reserved), set(nodes)
        self._operators: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def tensor(self, wanted: str) -> str:
        """``wanted``, or the same with a number where the name is taken."""
        return _free(wanted, self._tensors)

    def op(self, kind: str, inputs: list[str], output: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Append an operator; ``name`` is a reserved one, or one is made of its output's. Returns ``output``."""
        name = name or _free(f"{output}.{kind}", self._names)
        self._operators.append(helper.make_node(kind, inputs, [output], name=name, domain=domain, **attributes))
        return output

    def constant(self, name: str, array: np.ndarray) -> str:
        """An initializer."""
        name = self.tensor(name)
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def model(
        self, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]], opsets: dict[str, int], about: dict[str, str]
    ) -> onnx.ModelProto:
        """The whole, with shapes by name; ``about`` becomes the file's metadata."""
        given, made = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
            for side in (inputs, outputs)
        )
        graph = helper.make_graph(self._operators, "codesign", given, made, self._constants)
        imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
        model = helper.make_model(
            graph, opset_imports=imports, ir_version=_IR_VERSION, producer_name="codesign", producer_version=__version__
        )
        helper.set_model_props(model, about)
        return model


def _free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}.{number}"
    taken.add(name)
    return name

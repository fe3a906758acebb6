# SPDX-License-Identifier: Apache-2.0
"""hls4ml templates of the extension's layers: a configuration struct and a call each."""

from __future__ import annotations

from typing import Any

from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate

from hw.hls.config import struct
from hw.hls.layers import (
    CodesignConv,
    CodesignDeform,
    CodesignDepthwise,
    CodesignMaxPool,
    CodesignShuffle,
    CodesignSlice,
    CodesignUpsample,
)

CONV, DEPTHWISE, MOVES = (f"nnet_utils/codesign_{name}.h" for name in ("conv", "depthwise", "moves"))
_PARAMETERS = ("weight", "multiplier", "shift", "bias")


class CodesignConfig(LayerConfigTemplate):
    """The configuration struct of any of the layers."""

    def __init__(self) -> None:
        super().__init__((CodesignConv, CodesignDepthwise, CodesignDeform, CodesignMaxPool, CodesignSlice,
                          CodesignShuffle, CodesignUpsample))  # fmt: skip

    def format(self, node: Any) -> str:
        return struct(f"config{node.index}", node.attributes)


class _Weighted(FunctionCallTemplate):
    """A call with weights and requantisation."""

    def call(self, node: Any, function: str) -> str:
        streams = [node.get_input_variable(name) for name in node.inputs] + [node.get_output_variable()]
        types = [each.type.name for each in streams] + [node.get_weights("weight").type.name, f"config{node.index}"]
        arrays = [node.get_weights(name).name for name in _PARAMETERS]
        names = [each.name for each in streams] + arrays
        return f"codesign_nnet::{function}<{', '.join(types)}>({', '.join(names)});"


class ConvCall(_Weighted):
    def __init__(self) -> None:
        super().__init__(CodesignConv, include_header=[CONV])

    def format(self, node: Any) -> str:
        plain = (node.get_attr("kernel_height"), node.get_attr("kernel_width")) == (1, 1)
        return self.call(node, "conv_1x1" if plain and (node.get_attr("stride"), node.get_attr("pad")) == (1, 0) else "conv")


class DepthwiseCall(_Weighted):
    def __init__(self) -> None:
        super().__init__(CodesignDepthwise, include_header=[DEPTHWISE])

    def format(self, node: Any) -> str:
        return self.call(node, "depthwise")


class DeformCall(_Weighted):
    def __init__(self) -> None:
        super().__init__(CodesignDeform, include_header=[DEPTHWISE])

    def format(self, node: Any) -> str:
        return self.call(node, "deform_depthwise")


class MoveCall(FunctionCallTemplate):
    """The layers without parameters."""

    FUNCTIONS = {"CodesignMaxPool": "max_pool", "CodesignSlice": "slice", "CodesignShuffle": "shuffle", "CodesignUpsample": "upsample"}

    def __init__(self) -> None:
        super().__init__((CodesignMaxPool, CodesignSlice, CodesignShuffle, CodesignUpsample), include_header=[MOVES])

    def format(self, node: Any) -> str:
        source, result = node.get_input_variable(), node.get_output_variable()
        types = f"{source.type.name}, {result.type.name}, config{node.index}"
        return f"codesign_nnet::{self.FUNCTIONS[node.class_name]}<{types}>({source.name}, {result.name});"


TEMPLATES = (CodesignConfig, ConvCall, DepthwiseCall, DeformCall, MoveCall)

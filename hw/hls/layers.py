# SPDX-License-Identifier: Apache-2.0
"""Layers of integer codes for hls4ml: every tensor is int8, every sum exact, requantised by the numeric contract.

A layer's attributes are those of `hw.hls.config.DEFAULTS` with ``in_height``, ``in_width``, ``n_chan`` and, where it
requantises, the arrays ``weight_data``, ``multiplier_data``, ``shift_data`` and ``bias_data`` and ``weight_bits``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.model.layers import Layer
from hls4ml.model.types import IntegerPrecisionType

from codesign.numeric import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS
from hw.hls.config import constants, filled
from hw.hls.folding import parallel_for

CODE = IntegerPrecisionType(8, True)


class CodesignLayer(Layer):
    """Base: shapes from the attributes, results int8 whatever the model's default precision is."""

    weighted = False

    def initialize(self) -> None:
        for key, value in filled(self.attributes).items():
            if key not in self.attributes:
                self.set_attr(key, value)
        height, width = self._size()
        shape = [height, width, self.get_attr("n_filt")]
        if self.get_attr("data_format", "channels_last") == "channels_first":
            shape = [shape[2], height, width]
        self.add_output_variable(shape)
        if self.weighted:
            self._add_parameters()

    def add_output_variable(self, shape: Any, *names: Any, **kwargs: Any) -> None:
        """As hls4ml's, with int8 as the precision."""
        super().add_output_variable(shape, *names, **{"precision": CODE, **kwargs})

    def _size(self) -> tuple[int, int]:
        values = constants(self.attributes)
        return int(values["out_height"]), int(values["out_width"])

    def _add_parameters(self) -> None:
        """Weights and requantisation as arrays of their own exact types."""
        self.set_attr("parallel", parallel_for(self.class_name, self.attributes))
        kinds = {
            "weight": ("w", IntegerPrecisionType(int(self.get_attr("weight_bits")), True)),
            "multiplier": ("m", IntegerPrecisionType(MULTIPLIER_BITS, False)),
            "shift": ("s", IntegerPrecisionType(SHIFT_BITS, False)),
            "bias": ("b", IntegerPrecisionType(BIAS_BITS, True)),
        }
        for name, (letter, precision) in kinds.items():
            data = np.ravel(np.asarray(self.get_attr(f"{name}_data"), dtype=np.int64))
            self.add_weights_variable(name, letter + "{index}", f"{name}{{index}}_t", precision, data)


class CodesignConv(CodesignLayer):
    """Full convolution; ``weight_data`` is (n_filt, kernel_height, kernel_width, n_chan)."""

    weighted = True


class CodesignDepthwise(CodesignLayer):
    """Depthwise convolution; ``weight_data`` is (kernel_height, kernel_width, n_chan)."""

    weighted = True


class CodesignDeform(CodesignLayer):
    """Limited-range deformable depthwise convolution of (data, offsets); ``form`` square or pairs, ``bound`` N."""

    weighted = True


class CodesignMaxPool(CodesignLayer):
    """Maximum over the positions inside the image."""


class CodesignSlice(CodesignLayer):
    """Channels ``start`` to ``start + n_filt``."""


class CodesignShuffle(CodesignLayer):
    """out[i * groups + g] = in[g * (n_chan / groups) + i]."""


class CodesignUpsample(CodesignLayer):
    """Nearest neighbour, twice the height and width."""

    def _size(self) -> tuple[int, int]:
        return 2 * self.get_attr("in_height"), 2 * self.get_attr("in_width")


LAYERS = (CodesignConv, CodesignDepthwise, CodesignDeform, CodesignMaxPool, CodesignSlice, CodesignShuffle, CodesignUpsample)

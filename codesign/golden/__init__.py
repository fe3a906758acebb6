# SPDX-License-Identifier: Apache-2.0
"""The golden model: every tensor of a graph in exact integers, with NumPy alone."""

from codesign.golden.engine import accumulate, run, run_node
from codesign.golden.stats import TensorStats, tensor_stats
from codesign.numeric import image_codes

__all__ = ["TensorStats", "accumulate", "image_codes", "run", "run_node", "tensor_stats"]

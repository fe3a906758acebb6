# SPDX-License-Identifier: Apache-2.0
"""Random networks of tens of nodes for differential fuzzing: composed operator by operator, or one of our detectors' and
classifiers' structures at random widths."""

from __future__ import annotations

import numpy as np

from codesign.graph.ir import Concat, Graph
from codesign.graph.rules import check
from codesign.lower.random_layers import LayerFuzz, codes_of
from codesign.lower.random_net import random_graph
from codesign.lower.random_zoo import zoo_graph
from codesign.nn.zoo import MobilenetConfig
from codesign.numeric import OFFSET_BOUND

STRUCTURES = ("composed", "composed", "composed", "composed", "codenet", "mobilenet")
_OPERATORS = ("pointwise", "pointwise", "depthwise", "full", "deform", "maxpool", "upsample", "unit", "residual",
              "average", "join", "join", "concat", "concat", "inverted")  # fmt: skip
_STEPS = (6, 17)  #: operators composed; each is one to seven nodes
_SIDE, _CHANNELS, _WIDEST = 24, 48, 160


def random_network_graph(rng: np.random.Generator) -> Graph:
    """A checked graph of some ten to a hundred nodes; the same for the same state of ``rng``."""
    structure = str(rng.choice(STRUCTURES))
    if structure == "codenet":
        return _codenet(rng)
    return _mobilenet(rng) if structure == "mobilenet" else composed(rng)


def composed(rng: np.random.Generator) -> Graph:
    """Operators one behind the other, with branches: each reads the newest tensor or any earlier one, joins add or
    concatenate two. Every tensor that nothing reads is an output, under its own name."""
    shape = (int(rng.integers(1, _CHANNELS + 1)), *(int(v) for v in rng.integers(1, _SIDE + 1, 2)))
    fuzz = NetworkFuzz(codes_of(rng, shape), rng, _CHANNELS, even_kernels=False)
    x = fuzz.pointwise("n0", "image")
    for step in range(1, int(rng.integers(*_STEPS))):
        if rng.random() < 0.3:
            x = str(rng.choice(list(fuzz.values)))
        wide = fuzz.tensors[x].shape[0] > _WIDEST
        x = getattr(fuzz, "pointwise" if wide else str(rng.choice(_OPERATORS)))(f"n{step}", x)
    read = {name for node in fuzz.nodes for name in node.inputs}
    outputs = {node.output: node.output for node in fuzz.nodes if node.output not in read}
    graph = fuzz.graph(outputs, {"config": "composed", "trained": False, "act_bits": 8})
    check(graph)
    return graph


class NetworkFuzz(LayerFuzz):
    """Beside a layer's operators, those that need a network around them."""

    def join(self, name: str, x: str) -> str:
        """The sum of two tensors of one shape; of a layer's output and its input where there is no second."""
        others = [t for t, v in self.values.items() if v.shape == self.values[x].shape and t != x]
        if not others:
            return self.add(name, x)
        return self._sum(name, x, str(self.rng.choice(others)))

    def concat(self, name: str, x: str) -> str:
        """Two tensors side by side, the second brought to the first's scale by a convolution."""
        side = self.values[x].shape[1:]
        others = [t for t, v in self.values.items() if v.shape[1:] == side and t != x]
        other = str(self.rng.choice(others)) if others else x
        channels = int(self.rng.integers(1, self.channels + 1))
        fitted = self._conv(f"{name}.fit", other, channels, 1, 1, False, like=x)
        parts = (x, fitted) if self.rng.random() < 0.5 else (fitted, x)
        return self.add_moved(Concat(name, parts, name))

    def inverted(self, name: str, x: str) -> str:
        """MobileNetV2's block: expand, depthwise, project, and the input added where the shapes agree."""
        count, stride = self.tensors[x].shape[0], self._stride()
        y = self._conv(f"{name}.expand", x, int(self.rng.integers(1, 3 * self.channels)), 1, 1, False)
        y = self._conv(f"{name}.depthwise", y, self.tensors[y].shape[0], 3, stride, True)
        y = self._conv(f"{name}.project", y, count, 1, 1, False)
        return self._sum(f"{name}.add", x, y) if self.values[x].shape == self.values[y].shape else y


def _codenet(rng: np.random.Generator) -> Graph:
    """Our detector at random widths and depths."""

    def even(low: int, high: int) -> int:
        return 2 * int(rng.integers(low // 2, high // 2 + 1))

    height, width = (int(v) for v in rng.choice([32, 32, 64], 2))
    shape = {
        "name": "fuzz", "stem": str(rng.choice(["s4", "s2max"])), "stem_channels": even(4, 32),
        "stages": (even(4, 40), even(8, 64), even(8, 80)), "units": tuple(int(v) for v in rng.integers(1, 3, 3)),
        "last": even(8, 128), "decoder": tuple(even(4, 64) for _ in range(3)), "head": even(4, 48),
    }  # fmt: skip
    return random_graph(
        shape, classes=int(rng.integers(1, 9)), height=height, width=width, weight_bits=int(rng.choice([4, 8])),
        seed=int(rng.integers(1 << 16)), form=str(rng.choice(["square", "pairs"])),
        bound=int(rng.integers(1, OFFSET_BOUND + 1)),
    )  # fmt: skip


def _mobilenet(rng: np.random.Generator) -> Graph:
    """MobileNetV2, narrow, as a classifier or a detector."""
    detector = bool(rng.random() < 0.4)
    config = MobilenetConfig(
        "fuzz", width=float(rng.choice([0.1, 0.15, 0.2])), size=(32, int(rng.choice([32, 64]))),
        classes=int(rng.integers(1, 12)), detector=detector, weight_bits=int(rng.choice([4, 8])), decoder=(32, 24, 16),
        operator=str(rng.choice(["square", "pairs"])), bound=int(rng.integers(1, OFFSET_BOUND + 1)),
    )  # fmt: skip
    return zoo_graph(config, seed=int(rng.integers(1 << 16)))

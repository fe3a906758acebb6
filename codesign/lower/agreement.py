# SPDX-License-Identifier: Apache-2.0
"""How closely golden follows the quantised PyTorch network: layer by layer, and running free.

Fed with the network's own input codes, a layer differs only where float32 and a 16-bit multiplier fall on different
sides of a rounding boundary: at least 99.9 % of codes are equal and the rest differ by one (`Agreement.sound`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from codesign.golden import image_codes, run, run_node
from codesign.graph.ir import Conv, DeformConv, Graph

if TYPE_CHECKING:
    from codesign.nn.codenet import CoDeNet

EQUAL_SHARE_MIN = 0.999


@dataclass(frozen=True)
class Agreement:
    """One layer over all images. ``fed``: golden's layer on the network's input codes; ``free``: golden from the image.

    ``equal`` and ``off_by_one`` count codes of ``values``; ``greatest`` is the largest difference.
    """

    layer: str
    values: int
    fed_equal: int
    fed_off_by_one: int
    fed_greatest: int
    free_equal: int
    free_off_by_one: int
    free_greatest: int

    @property
    def fed_share(self) -> float:
        """Share of equal codes when fed the network's own."""
        return self.fed_equal / self.values

    @property
    def free_share(self) -> float:
        """Share of equal codes when running from the image."""
        return self.free_equal / self.values

    @property
    def sound(self) -> bool:
        """At least 99.9 % equal, the rest off by one."""
        return self.fed_share >= EQUAL_SHARE_MIN and self.fed_greatest <= 1


def layer_agreement(model: CoDeNet, graph: Graph, images: Iterable[np.ndarray]) -> list[Agreement]:
    """Agreement of every convolution, in order, over frames uint8 (H, W, 3) of the network's size."""
    from codesign.nn.export import trace_codes

    total: dict[str, Agreement] = {}
    for image in images:
        for row in compare_codes(graph, trace_codes(model, image), image):
            total[row.layer] = _merge(total[row.layer], row) if row.layer in total else row
    return list(total.values())


def compare_codes(graph: Graph, codes: dict[str, np.ndarray], image: np.ndarray) -> list[Agreement]:
    """Agreement on one frame with the network's ``codes`` by tensor name, (C, H, W) each."""
    theirs = {name: array.astype(np.int8) for name, array in codes.items()}
    free = run(graph, image_codes(image))
    rows = []
    for node in graph.nodes:
        if not isinstance(node, Conv | DeformConv):
            continue
        zeros = [graph.tensors[name].zero_point for name in node.inputs]
        fed = _difference(run_node(node, [theirs[name] for name in node.inputs], zeros), codes[node.output])
        loose = _difference(free[node.output], codes[node.output])
        rows.append(Agreement(node.name, codes[node.output].size, *fed, *loose))
    return rows


def _difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int, int]:
    """(equal codes, codes off by one, greatest difference)."""
    gap = np.abs(ours.astype(np.int64) - theirs)
    return int((gap == 0).sum()), int((gap == 1).sum()), int(gap.max(initial=0))


def _merge(one: Agreement, two: Agreement) -> Agreement:
    counts = ("values", "fed_equal", "fed_off_by_one", "free_equal", "free_off_by_one")
    sums = {name: getattr(one, name) + getattr(two, name) for name in counts}
    peaks = {name: max(getattr(one, name), getattr(two, name)) for name in ("fed_greatest", "free_greatest")}
    return replace(one, **sums, **peaks)

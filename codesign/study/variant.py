# SPDX-License-Identifier: Apache-2.0
"""The decoder's depthwise layer in the forms that are compared."""

from __future__ import annotations

from dataclasses import dataclass, field

from codesign.nn.config import NetConfig

WIDTH = 0.5
DECODER = (128, 64, 32)  # half of the published widths, too


@dataclass(frozen=True)
class Variant:
    """`changes` are fields of `NetConfig`; `deployable` says whether the accelerator runs it."""

    name: str
    title: str
    changes: dict[str, object] = field(hash=False)
    deployable: bool = True

    def network(self, size: int, classes: int) -> NetConfig:
        """The network of this form for square inputs of `size` pixels."""
        base = {"width": WIDTH, "decoder": DECODER, "input_size": (size, size), "classes": classes}
        return NetConfig(**(base | self.changes))  # type: ignore[arg-type]


def _plain(kernel: int) -> Variant:
    return Variant(f"plain{kernel}", f"plain {kernel}×{kernel}", {"operator": "plain", "kernel": kernel})


def _rounded(bound: int) -> Variant:
    changes = {"operator": "square", "bound": bound, "rounding": "integer"}
    return Variant(f"rounded{bound}", f"square, rounded, N = {bound}", changes)


_BILINEAR = {"rounding": "bilinear"}
VARIANTS: dict[str, Variant] = {
    v.name: v
    for v in (
        _plain(3),
        _plain(7),
        Variant("free", "pairs, unbounded, bilinear", _BILINEAR | {"operator": "pairs", "bound": None}, False),
        Variant("pairs7", "pairs, N = 7, bilinear", _BILINEAR | {"operator": "pairs", "bound": 7}, False),
        Variant("square7", "square, N = 7, bilinear", _BILINEAR | {"operator": "square", "bound": 7}, False),
        _rounded(7),
        _rounded(3),
        _rounded(1),
    )
}

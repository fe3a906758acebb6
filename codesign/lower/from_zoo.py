# SPDX-License-Identifier: Apache-2.0
"""A quantised MobileNetV2 or SimpleNet as an integer graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codesign.errors import UserError
from codesign.graph.ir import Graph
from codesign.lower.from_brevitas import graph_from_layers
from codesign.nn.zoo import MobilenetConfig
from codesign.numeric import ACC_BITS

if TYPE_CHECKING:
    from codesign.nn.mobilenet import MobileNetV2
    from codesign.nn.simplenet import SimpleNet


def lower_zoo(
    model: MobileNetV2 | SimpleNet,
    size: tuple[int, int] | None = None,
    labels: Sequence[str] = (),
    trained: bool = True,
    acc_bits: int = ACC_BITS,
) -> Graph:
    """The checked integer graph; ``model`` is not changed. ``size`` (height, width) overrides the trained input's.

    Raises UserError as `codesign.lower.from_brevitas.lower` does.
    """
    from codesign.nn.export_zoo import export_zoo

    config = model.config
    height, width = size or config.size
    if height < 32 or width < 32 or height % 32 or width % 32:
        raise UserError(f"input of {height}x{width}: both sides must be multiples of 32")
    names = list(labels) or [f"class{i}" for i in range(config.classes)]
    if len(names) != config.classes:
        raise UserError(f"{len(names)} labels for {config.classes} classes; give one for each")
    meta: dict[str, object] = {
        "config": config.name,
        "classes": config.classes,
        "labels": names,
        "weight_bits": config.weight_bits,
        "act_bits": 8,
        "trained": trained,
    }
    if isinstance(config, MobilenetConfig) and config.detector:
        meta |= {"form": config.operator, "bound": config.bound}
    return graph_from_layers(export_zoo(model), (height, width), meta, acc_bits)

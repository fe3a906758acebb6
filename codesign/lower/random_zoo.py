# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 and SimpleNet with calibrated random weights: structure and names of the trained networks. NumPy alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codesign.errors import UserError
from codesign.golden import image_codes
from codesign.graph.count import parameter_count
from codesign.graph.ir import Graph, MaxPool
from codesign.graph.rules import check
from codesign.lower.calibrate import Calibrator
from codesign.lower.random_net import add_decoder, add_heads, random_graph
from codesign.lower.textured_image import textured_image
from codesign.nn.layer_bits import LayerBits
from codesign.nn.zoo import SIMPLENET_LAYERS, ZOO, MobilenetConfig, Residual, SimplenetConfig, Zoo, zoo_config

_LARGEST_SIDE = 2048


def random_network(
    name: str,
    height: int | None = None,
    width: int | None = None,
    weight_bits: int = 4,
    form: str = "square",
    seed: int = 0,
    layer_bits: LayerBits = (),
) -> Graph:
    """The graph of a configuration's letter (`random_graph`) or of a network of `codesign.nn.zoo`, the same for the same
    arguments. Raises UserError on bad arguments."""
    if name in ZOO:
        if layer_bits:
            raise UserError(f"layer_bits name layers of configurations a to e; {name} has one width for all but its first layer")
        return zoo_graph(replace(zoo_config(name), weight_bits=weight_bits, **_form(name, form)), height, width, seed)
    return random_graph(name, height=height, width=width, weight_bits=weight_bits, form=form, seed=seed, layer_bits=layer_bits)


def _form(name: str, form: str) -> dict[str, str]:
    config = ZOO[name]
    return {"operator": form} if isinstance(config, MobilenetConfig) and config.detector else {}


def zoo_graph(config: Zoo, height: int | None = None, width: int | None = None, seed: int = 0) -> Graph:
    """A checked graph of ``config``, calibrated on `random_net.calibration_image`."""
    size = (height or config.size[0], width or config.size[1])
    if any(side % 32 or not 32 <= side <= _LARGEST_SIDE for side in size):
        raise UserError(f"input of {size[0]}x{size[1]}: both sides must be multiples of 32, 32 to {_LARGEST_SIDE}")
    rng = np.random.default_rng([seed, *size, config.weight_bits, config.classes])
    cal = Calibrator(image_codes(textured_image(*size, seed)), rng)
    outputs = _mobilenet(cal, config) if isinstance(config, MobilenetConfig) else _simplenet(cal, config)
    meta = {
        "config": config.name,
        "classes": config.classes,
        "labels": [f"class{i}" for i in range(config.classes)],
        "weight_bits": config.weight_bits,
        "act_bits": 8,
        "trained": False,
        "image_seed": seed,
        "seed": seed,
    }
    if isinstance(config, MobilenetConfig) and config.detector:
        meta |= {"form": config.operator, "bound": config.bound}
    graph = cal.graph(outputs, meta)
    graph.meta["params"] = parameter_count(graph)
    check(graph)
    return graph


def _mobilenet(cal: Calibrator, config: MobilenetConfig) -> dict[str, str]:
    bits = config.weight_bits
    x = cal.add_conv("stem", "image", config.stem_channels, bits=config.stem_bits, kernel=3, stride=2)
    for block in config.blocks:
        x = _residual(cal, block, x, bits)
    x = cal.add_conv("last", x, config.last_channels, bits=bits)
    if config.detector:
        x = add_decoder(cal, x, config.decoder, bits, config.operator, config.bound)
        return add_heads(cal, x, config.classes, config.decoder[-1], bits)
    return _classifier(cal, x, config.classes, bits)


def _residual(cal: Calibrator, block: Residual, x: str, bits: int) -> str:
    y, wide = x, block.cin * block.expansion
    if block.expansion > 1:
        y = cal.add_conv(f"{block.name}.expand", y, wide, bits=bits)
    y = cal.add_conv(f"{block.name}.depthwise", y, wide, bits=bits, kernel=3, stride=block.stride, depthwise=True)
    y = cal.add_conv(f"{block.name}.project", y, block.cout, bits=bits, relu=False)
    return cal.add_sum(f"{block.name}.add", x, y) if block.added else y


def _simplenet(cal: Calibrator, config: SimplenetConfig) -> dict[str, str]:
    x, pools = "image", 0
    for number, layer in enumerate(layer for layer in SIMPLENET_LAYERS):
        if isinstance(layer, str):
            pools += 1
            x = cal.add_moved(MaxPool(f"pool{pools}", (x,), f"pool{pools}", 2, 2, 0))
        else:
            bits = config.stem_bits if number == 0 else config.weight_bits
            x = cal.add_conv(f"conv{number - pools + 1}", x, layer[0], bits=bits, kernel=layer[1])
    return _classifier(cal, x, config.classes, config.weight_bits)


def _classifier(cal: Calibrator, x: str, classes: int, bits: int) -> dict[str, str]:
    x = cal.add_average("average", x)
    return {"logits": cal.add_conv("classifier", x, classes, bits=bits, relu=False)}

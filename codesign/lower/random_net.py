# SPDX-License-Identifier: Apache-2.0
"""CoDeNet with calibrated random weights: the trained network's structure and names, for any input size.

Used to verify hardware on every configuration without training. NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from codesign.errors import UserError
from codesign.golden import image_codes, tensor_stats
from codesign.graph.count import parameter_count
from codesign.graph.ir import Concat, DeformConv, Graph, MaxPool, Shuffle, Slice, Upsample
from codesign.graph.rules import check
from codesign.lower.calibrate import Calibrator
from codesign.lower.offset_choice import add_offset_conv, border_values, corner_values
from codesign.lower.shapes import CodenetShape, codenet_shape
from codesign.lower.textured_image import textured_image
from codesign.nn.layer_bits import LayerBits, checked, layer_names
from codesign.numeric import OFFSET_BOUND

_STEM_BITS = 8
_TRIES = 8
_TOP_SHARE = 0.6  # of a tensor's values at one code; after ReLU
_TOP_SHARE_RELU = 0.8

_LARGEST_SIDE = 2048  # coordinates are 12-bit fields of an instruction


def random_graph(
    config: str | Mapping[str, object] = "b",
    classes: int = 20,
    height: int | None = None,
    width: int | None = None,
    weight_bits: int = 4,
    seed: int = 0,
    form: str = "square",
    bound: int = OFFSET_BOUND,
    layer_bits: LayerBits = (),
) -> Graph:
    """A checked graph, the same for the same arguments.

    ``config`` is a letter or fields of `CodenetShape` that replace b's; ``height`` and ``width`` default to the
    configuration's; ``layer_bits`` as in `codesign.nn.layer_bits`. Calibrated on `calibration_image(graph)`: there no tensor of 64 values or more has over 60 % of
    them at one code (80 % after ReLU), and every distance 0..``bound`` occurs in each deformable layer of at least
    64 pixels, on the border, and over all such layers at corners too. Where a shape leaves no room for that (very
    long or small inputs), ``meta["shortfall"]`` says what is missing. Raises UserError on bad arguments.
    """
    shape = codenet_shape(config)
    height = shape.size if height is None else height
    width = shape.size if width is None else width
    for side in (height, width):
        if side % 32 or not 32 <= side <= _LARGEST_SIDE:
            raise UserError(f"input of {height}x{width}: both sides must be multiples of 32, 32 to {_LARGEST_SIDE}")
    if form not in ("square", "pairs"):
        raise UserError(f"deformable form {form!r} is not known; pick square or pairs")
    layer_bits, problem = checked(layer_bits, layer_names()), ""
    for attempt in range(_TRIES):
        image = image_codes(textured_image(height, width, seed))
        rng = np.random.default_rng([seed, attempt, height, width, weight_bits, classes])
        cal = Calibrator(image, rng, layer_bits=layer_bits)
        graph = _build(cal, shape, classes, weight_bits, form, bound)
        graph.meta.update(image_seed=seed, seed=seed)
        problem = _shortfall(graph, cal.values)
        if not problem:
            break
    else:
        graph.meta.update(shortfall=problem)
    check(graph)
    return graph


def calibration_image(graph: Graph) -> np.ndarray:
    """The picture uint8 (H, W, 3) that a random graph was calibrated on."""
    _, height, width = graph.input.shape
    return textured_image(height, width, int(graph.meta["image_seed"]))


def _build(
    cal: Calibrator, shape: CodenetShape, classes: int, bits: int, form: str, bound: int
) -> Graph:
    stride = 4 if shape.stem == "s4" else 2
    x = cal.add_conv("stem", "image", shape.stem_channels, bits=_STEM_BITS, kernel=3, stride=stride)
    if shape.stem == "s2max":
        x = cal.add_moved(MaxPool("stem.pool", (x,), "stem.pool", 3, 2, 1))
    for stage, (channels, units) in enumerate(zip(shape.stages, shape.units, strict=True), start=1):
        for unit in range(units):
            add = _down_unit if unit == 0 else _unit
            x = add(cal, f"stage{stage}.{unit}", x, channels, bits)
    x = cal.add_conv("last", x, shape.last, bits=bits)
    x = add_decoder(cal, x, shape.decoder, bits, form, bound)
    outputs = add_heads(cal, x, classes, shape.head, bits)
    meta = {
        "config": shape.name,
        "classes": classes,
        "labels": [f"class{i}" for i in range(classes)],
        "weight_bits": bits,
        "layer_bits": [list(pair) for pair in cal.layer_bits],
        "act_bits": 8,
        "form": form,
        "bound": bound,
        "trained": False,
    }
    graph = cal.graph(outputs, meta)
    graph.meta["params"] = parameter_count(graph)
    return graph


def add_decoder(cal: Calibrator, x: str, widths: tuple[int, ...], bits: int, form: str, bound: int) -> str:
    """A deformable layer, a 1x1 convolution and an upsampling for each of ``widths``; returns the last tensor."""
    for block, channels in enumerate(widths, start=1):
        name = f"decoder{block}"
        offsets = add_offset_conv(cal, f"{name}.offset", x, bits=bits, form=form, bound=bound)
        x = cal.add_deform(f"{name}.depthwise", x, offsets, bits=bits, form=form, bound=bound)
        x = cal.add_conv(f"{name}.pointwise", x, channels, bits=bits)
        x = cal.add_moved(Upsample(f"{name}.upsample", (x,), f"{name}.upsample"))
    return x


def add_heads(cal: Calibrator, x: str, classes: int, width: int, bits: int) -> dict[str, str]:
    """The three heads of a detector: tensors by role."""
    outputs = {}
    for role, channels in (("hm", classes), ("wh", 2), ("reg", 2)):
        y = cal.add_conv(f"{role}.first", x, width, bits=bits)
        y = cal.add_conv(f"{role}.depthwise", y, width, bits=bits, kernel=3, depthwise=True)
        outputs[role] = cal.add_conv(f"{role}.last", y, channels, bits=bits, relu=False)
    return outputs


def _down_unit(cal: Calibrator, name: str, x: str, channels: int, bits: int) -> str:
    half = channels // 2
    source = cal.tensors[x].shape[0]
    left = cal.add_conv(
        f"{name}.left.depthwise", x, source, bits=bits, kernel=3, stride=2, depthwise=True, relu=False
    )
    left = cal.add_conv(f"{name}.left.expand", left, half, bits=bits)
    right = cal.add_conv(f"{name}.right.reduce", x, half, bits=bits)
    right = cal.add_conv(
        f"{name}.right.depthwise", right, half, bits=bits, kernel=3, stride=2, depthwise=True, relu=False
    )
    right = cal.add_conv(f"{name}.right.expand", right, half, bits=bits)
    return _join(cal, name, left, right)


def _unit(cal: Calibrator, name: str, x: str, channels: int, bits: int) -> str:
    half = channels // 2
    left = cal.add_moved(Slice(f"{name}.split.0", (x,), f"{name}.split.0", 0, half))
    right = cal.add_moved(Slice(f"{name}.split.1", (x,), f"{name}.split.1", half, channels))
    right = cal.add_conv(f"{name}.right.reduce", right, half, bits=bits)
    right = cal.add_conv(f"{name}.right.depthwise", right, half, bits=bits, kernel=3, depthwise=True, relu=False)
    right = cal.add_conv(f"{name}.right.expand", right, half, bits=bits)
    return _join(cal, name, left, right)


def _join(cal: Calibrator, name: str, left: str, right: str) -> str:
    joined = cal.add_moved(Concat(f"{name}.concat", (left, right), f"{name}.concat"))
    return cal.add_moved(Shuffle(f"{name}.shuffle", (joined,), f"{name}.shuffle", 2))


def _shortfall(graph: Graph, values: dict[str, np.ndarray]) -> str:
    """What keeps ``graph`` from exercising every distance and enough codes; empty when nothing does."""
    for stats in tensor_stats(graph, values):
        limit = _TOP_SHARE_RELU if stats.rectified else _TOP_SHARE
        if stats.top_share > limit and stats.values >= 64:
            return f"{stats.name} has {stats.top_share:.0%} of its values at code {stats.top_code}"
    corners: set[int] = set()
    wanted: set[int] = set()
    for node in graph.nodes:
        if not isinstance(node, DeformConv):
            continue
        grid = values[node.inputs[1]].astype(np.int64)
        if grid.shape[1] * grid.shape[2] < 64:
            continue
        wanted = set(range(0 if node.form == "square" else -node.bound, node.bound + 1))
        missing = wanted - set(border_values(grid).tolist())
        if missing:
            return f"{node.name} never sees offsets {sorted(missing)} on the border"
        corners |= set(corner_values(grid).tolist())
    # One layer has four corners, so all distances fit there only where two or more layers count.
    few = sum(isinstance(n, DeformConv) and np.prod(values[n.output].shape[1:]) >= 64 for n in graph.nodes) < 2
    return "" if few or corners >= wanted else f"no corner sees offsets {sorted(wanted - corners)}"

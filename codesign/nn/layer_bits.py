# SPDX-License-Identifier: Apache-2.0
"""Weight bits layer by layer: pairs (pattern, 4 or 8) over the convolutions' names; the last one that fits wins.

A pattern is a layer's name (`decoder1.offset`), what its name begins with up to a dot (`stage1`, `hm`), or either with
shell wildcards (`*.depthwise`). Layers that no pattern names have the network's own `weight_bits`, the stem `stem_bits`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from codesign.errors import UserError

LayerBits = tuple[tuple[str, int], ...]
STAGE_UNITS = (4, 8, 4)  # ShuffleNetV2: one stride-2 unit, then stride-1 units
_UNIT = ("right.reduce", "right.depthwise", "right.expand")
_DOWN = ("left.depthwise", "left.expand", *_UNIT)
_HEAD = ("first", "depthwise", "last")
_MOST = 1000
_PATTERN = re.compile(r"[\w.*?\[\]-]{1,100}", re.ASCII)


def layer_names(offsets: bool = True) -> tuple[str, ...]:
    """Every convolution of the network in execution order; without `offsets`, none of the offset convolutions."""
    units = [f"stage{s}.{n}.{part}" for s, count in enumerate(STAGE_UNITS, 1) for n in range(count)
             for part in (_UNIT if n else _DOWN)]  # fmt: skip
    block = ("offset", "depthwise", "pointwise") if offsets else ("depthwise", "pointwise")
    decoder = [f"decoder{k}.{part}" for k in (1, 2, 3) for part in block]
    heads = [f"{head}.{part}" for head in ("hm", "wh", "reg") for part in _HEAD]
    return ("stem", *units, "last", *decoder, *heads)


def fits(name: str, pattern: str) -> bool:
    """Whether a pattern names this layer."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def bits_of(name: str, layer_bits: LayerBits, default: int) -> int:
    """Weight bits of one layer."""
    return next((bits for pattern, bits in reversed(layer_bits) if fits(name, pattern)), default)


def checked(layer_bits: object, names: tuple[str, ...]) -> LayerBits:
    """The pairs as tuples; anything else, other bits or a pattern that fits no layer is a `UserError`."""
    if not isinstance(layer_bits, (tuple, list)) or len(layer_bits) > _MOST:
        raise UserError("network config: layer_bits must be pairs of a layer and its bits")
    pairs = []
    for pair in layer_bits:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise UserError(f"network config: layer_bits holds {repr(pair)[:60]}; it must be a layer and its bits")
        pattern, bits = pair
        if type(bits) is not int or bits not in (4, 8):
            raise UserError(f"network config: layer_bits gives {pattern[:60]!r} {repr(bits)[:20]} bits; it must be 4 or 8")
        if not _PATTERN.fullmatch(pattern) or not any(fits(name, pattern) for name in names):
            raise UserError(f"network config: layer_bits names {pattern[:60]!r}, which is no layer; layers are for example "
                            "stem, stage1, stage1.0.right.reduce, decoder1.offset, hm.last, *.depthwise")  # fmt: skip
        pairs.append((pattern, bits))
    return tuple(pairs)


def parse(text: str | None) -> LayerBits:
    """`stem=8,decoder1.offset=8` as pairs (the layers' names are checked with the network)."""
    pairs = []
    for part in (text or "").split(","):
        name, mark, bits = part.strip().rpartition("=")
        if not part.strip():
            continue
        if not mark or not _PATTERN.fullmatch(name.strip()) or bits.strip() not in ("4", "8"):
            raise UserError(f"--layer-bits {part.strip()[:60]!r}: must be LAYER=4 or LAYER=8, several with commas")
        pairs.append((name.strip(), int(bits)))
    return tuple(pairs)


def shown(layer_bits: LayerBits) -> str:
    """The inverse of `parse`."""
    return ",".join(f"{pattern}={bits}" for pattern, bits in layer_bits)

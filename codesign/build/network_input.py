# SPDX-License-Identifier: Apache-2.0
"""What a network is fed in a build: codes, kept as a PNG that can be looked at and edited.

A pixel is its code + 128. Three channels are an RGB picture, any other number of them grey planes below each other.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from codesign.bounded import reason
from codesign.build.pictures import load_picture
from codesign.errors import UserError
from codesign.golden import image_codes
from codesign.graph.ir import Graph
from codesign.graph.meta import input_range

SEED = 0
Shape = tuple[int, int, int]


def random_codes(graph: Graph, seed: int = SEED) -> np.ndarray:
    """Codes int8 of the input's shape, every one of its range as likely; the same for a seed."""
    least, greatest = input_range(graph)
    return np.random.default_rng(seed).integers(least, greatest + 1, graph.input.shape).astype(np.int8)


def pixel_codes(pixels: np.ndarray, graph: Graph) -> np.ndarray:
    """Codes int8 (3, H, W) of uint8 pixels (H, W, 3): black is the least code of the input's range, white the greatest."""
    least, greatest = input_range(graph)
    if (least, greatest) == (-128, 127):
        return image_codes(pixels)
    wide = np.rint(pixels.astype(np.float64) * ((greatest - least) / 255)) + least
    return np.ascontiguousarray(wide.astype(np.int8).transpose(2, 0, 1))


def read_array(path: Path, graph: Graph) -> np.ndarray:
    """Codes int8 (C, H, W) of a NumPy file: int8 codes, uint8 codes (less 128), or reals, which the input's scale and zero point
    quantise. Raises UserError, one line."""
    try:
        with np.errstate(over="ignore"):  # mapped: a header that lies about its size is an error
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        kind, shape = values.dtype, values.shape
    except (OSError, ValueError, EOFError, SyntaxError, AttributeError, TypeError, OverflowError, MemoryError) as error:
        said = reason(error) if isinstance(error, OSError) else "its content is none"
        raise UserError(f"--input {path}: not a NumPy array ({said}); write it with numpy.save") from None
    want = tuple(graph.input.shape)
    if tuple(side for side in shape if side != 1) != tuple(side for side in want if side != 1):
        raise UserError(f"--input {path}: shape {shape}; the network takes {want} (channels, height, width)")
    found = np.asarray(values).reshape(want)
    if kind == np.int8:
        codes = found.copy()
    elif kind == np.uint8:
        codes = (found ^ 0x80).view(np.int8)
    elif kind.kind == "f":
        if not np.isfinite(found).all():
            raise UserError(f"--input {path}: holds values that are not finite; remove them")
        wide = np.rint(found.astype(np.float64) / graph.input.scale) + graph.input.zero_point
        codes = np.clip(wide, *input_range(graph)).astype(np.int8)
    else:
        raise UserError(f"--input {path}: values of type {kind}; give int8 or uint8 codes, or float reals")
    return np.ascontiguousarray(codes)


def png_of_codes(codes: np.ndarray) -> bytes:
    """A PNG file's bytes for codes int8 (C, H, W)."""
    channels, height, width = codes.shape
    pixels = codes.view(np.uint8) ^ 0x80
    pixels = pixels.transpose(1, 2, 0) if channels == 3 else pixels.reshape(channels * height, width)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()


def codes_of_png(path: Path, shape: Shape) -> np.ndarray:
    """The codes int8 (C, H, W) that `png_of_codes` wrote, or what was made of them since. Raises UserError."""
    channels, height, width = shape
    if channels == 3:
        return image_codes(load_picture(path, height, width))
    grey = load_picture(path, channels * height, width)[:, :, 0]
    return np.ascontiguousarray((grey ^ 0x80).view(np.int8).reshape(shape))

# SPDX-License-Identifier: Apache-2.0
"""One annotated picture, whatever layout its folder has, and reading its pixels."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from codesign.bounded import MIB, read_bytes, reason
from codesign.errors import UserError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  #: none whose reader starts another program
MAX_PIXELS = 64_000_000
MAX_BYTES = 256 * MIB
_BROKEN = (
    UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, EOFError, IndexError, KeyError, TypeError,
    AttributeError, OverflowError, ZeroDivisionError, NotImplementedError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One annotated image. boxes float32 [n, 4], labels int64 [n], difficult bool [n].

    ``crowd`` bool [n] marks boxes around a group, which are difficult too; ``areas`` float32 [n] are the objects' own
    areas in square pixels where the annotations give them (COCO). Both None: no crowd, areas as the boxes'.
    """

    name: str
    image: Path
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray | None = None
    areas: np.ndarray | None = None

    def without_crowds(self) -> Sample:
        """The boxes around one object each, which is what a network can learn from."""
        if self.crowd is None or not self.crowd.any():
            return self
        kept = ~self.crowd
        areas = None if self.areas is None else self.areas[kept]
        return Sample(self.name, self.image, self.boxes[kept], self.labels[kept], self.difficult[kept], self.crowd[kept], areas)


def load_image(path: Path) -> np.ndarray:
    """uint8 RGB [H, W, 3]; a missing, truncated or foreign file is a `UserError`.

    Pixels as stored: an EXIF orientation is not applied, because annotations count stored pixels.
    """
    if not path.exists():
        raise UserError(f"{path}: no such image; check the path")
    content = io.BytesIO(read_bytes(path, MAX_BYTES))  # a chunk that says it has gigabytes reads what is there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is the lower limit
            opened = Image.open(content, formats=FORMATS)
        with opened as image:
            if image.width * image.height > MAX_PIXELS:
                raise UserError(f"{path}: {image.width} x {image.height} pixels, more than {MAX_PIXELS / 1e6:.0f} million; make it smaller")
            return _rgb(path, image)
    except _BROKEN as error:
        raise UserError(f"{path}: not a readable image ({reason(error, 120)}); give an intact PNG or JPEG") from None


def _rgb(path: Path, image: Image.Image) -> np.ndarray:
    """Grey of 16 bits is scaled to 8; `Image.convert` would clip it to white."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) * 255 + 32767) // 65535
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise UserError(f"{path}: a picture of 32 bits a pixel (mode {image.mode}); save it with 8 or 16 bits")
    return np.asarray(image.convert("RGB"))

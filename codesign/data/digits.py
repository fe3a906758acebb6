# SPDX-License-Identifier: Apache-2.0
"""Detection scenes from scikit-learn's bundled handwritten digits (1,797 real 8x8 samples), in Pascal VOC layout.

Every fifth handwritten sample belongs to the test scenes, the others to the training scenes, so no handwriting is
seen in both. A scene has a background (flat, gradient or smooth noise), clutter (strokes, blobs), several digits of
varied size, tilt, colour and contrast polarity, thin strokes across, and sensor noise. A scene of less than 128 pixels
has one to three larger digits. Same arguments, same scenes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from codesign.data.voc import write_annotation
from codesign.errors import UserError

SMALLEST, LARGEST = 24, 104  # digit height in pixels of a 256-pixel scene
DIGITS = (5, 15)  # digits of a scene, the second exclusive
SMALL_SCENE = 128  # below this side there is room for a few digits, of heights that show what they are
_FEW, _FEW_HEIGHTS = (1, 4), (72, 176)  # 18 to 44 pixels of 64
_MAX_IOU = 0.02


def handwriting(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten samples of one split: uint8 ink [n, 8, 8] in 0..255, labels int [n]. Test is every fifth."""
    from sklearn.datasets import load_digits

    data = load_digits()
    test = np.arange(len(data.target)) % 5 == 4
    keep = test if split == "test" else ~test
    return np.round(data.images[keep] * (255 / 16)).astype(np.uint8), data.target[keep]


def write_scenes(
    folder: Path, train: int = 800, test: int = 200, size: int = 256, seed: int = 1,
    heights: tuple[int, int] | None = None,
) -> None:  # fmt: skip
    """Write JPEGImages/, Annotations/, ImageSets/Main/{train,test}.txt and labels.txt.

    `heights` are the smallest and largest digit in pixels of a 256-pixel scene; heights between are log-uniform.
    """
    check_scenes(train, test, size, seed, heights)
    folder = Path(folder)
    try:
        for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "labels.txt").write_text("".join(f"{d}\n" for d in range(10)))
    except OSError as error:
        raise UserError(f"{folder}: cannot write digit scenes ({error.strerror}); give another folder") from None
    for split, count in (("train", train), ("test", test)):
        ink, labels = handwriting(split)
        names = [f"{split}{n:05d}" for n in range(count)]
        for n, name in enumerate(names):
            rng = np.random.default_rng([seed, split == "test", n])
            image, boxes, digits = render_scene(rng, ink, labels, size, heights)
            Image.fromarray(image).save(folder / "JPEGImages" / f"{name}.jpg", quality=95)
            write_annotation(
                folder / "Annotations" / f"{name}.xml", f"{name}.jpg", (size, size), boxes, [str(d) for d in digits]
            )
        (folder / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{n}\n" for n in names))


def check_scenes(
    train: int, test: int, size: int, seed: int, heights: tuple[int, int] | None = None
) -> None:
    """Raises UserError, naming the value, where `write_scenes` would not take these arguments."""
    limits = (("train", train, 1, 100_000), ("test", test, 1, 100_000), ("size", size, 64, 4096),
              ("seed", seed, 0, 2**31 - 1))  # fmt: skip
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise UserError(f"digit scenes: {name} is {value}; it must be {least} to {most}")
    if heights is not None and not 8 <= heights[0] <= heights[1] <= 256:
        raise UserError(f"digit scenes: heights are {heights[0]} to {heights[1]}; they must rise within 8 to 256")


def usual_heights(size: int) -> tuple[int, int]:
    """Smallest and largest digit, in pixels of a 256-pixel scene, where a scene of this size is asked for no others."""
    return (SMALLEST, LARGEST) if size >= SMALL_SCENE else _FEW_HEIGHTS


def render_scene(
    rng: np.random.Generator, ink: np.ndarray, labels: np.ndarray, size: int,
    heights: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray, list[int]]:  # fmt: skip
    """One scene: uint8 RGB [size, size, 3], boxes int [n, 4] (pixel edges), digit labels."""
    heights = heights or usual_heights(size)
    canvas = _clutter(rng, _background(rng, size), int(rng.integers(2, 9)))
    boxes: list[np.ndarray] = []
    digits: list[int] = []
    for _ in range(int(rng.integers(*(DIGITS if size >= SMALL_SCENE else _FEW)))):
        pick = int(rng.integers(len(labels)))
        mask = _digit_mask(rng, ink[pick], size, heights)
        placed = _place(rng, mask, boxes, size)
        if placed is None:
            continue
        canvas = _paint(rng, canvas, mask, placed)
        boxes.append(np.array([placed[0], placed[1], placed[0] + mask.shape[1], placed[1] + mask.shape[0]]))
        digits.append(int(labels[pick]))
    canvas = _thin_strokes(rng, canvas)
    canvas = canvas + rng.normal(0, rng.uniform(0, 8), canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8), np.array(boxes).reshape(-1, 4), digits


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    base = _tint(rng, rng.uniform(25, 95) if rng.random() < 0.5 else rng.uniform(160, 230), 25)
    kind = rng.integers(3)
    if kind == 0:
        return np.broadcast_to(base, (size, size, 3)).astype(np.float64).copy()
    if kind == 1:
        angle, span = rng.uniform(0, 2 * np.pi), _tint(rng, rng.uniform(20, 60), 10)
        y, x = np.mgrid[0:size, 0:size] / size - 0.5
        return base + (np.cos(angle) * x + np.sin(angle) * y)[..., None] * span
    grid = rng.uniform(-25, 25, (int(rng.integers(3, 9)),) * 2 + (1,)) + rng.uniform(-8, 8, 3)
    return base + np.stack([_resize(grid[..., c], size, size, Image.Resampling.BICUBIC) for c in range(3)], -1)


def _tint(rng: np.random.Generator, grey: float, spread: float) -> np.ndarray:
    """An RGB colour near a grey level."""
    return grey + rng.uniform(-spread, spread, 3)


def _clutter(rng: np.random.Generator, canvas: np.ndarray, count: int) -> np.ndarray:
    size = canvas.shape[0]
    for _ in range(count):
        layer = Image.new("L", (size, size))
        draw = ImageDraw.Draw(layer)
        x, y = rng.uniform(0, size, 2)
        w, h = rng.uniform(size / 20, size / 3, 2)
        kind = rng.integers(4)
        if kind == 0:
            draw.line([x, y, *rng.uniform(0, size, 2)], fill=255, width=int(rng.integers(1, 2 + size // 40)))
        elif kind == 1:
            draw.ellipse([x, y, x + w, y + h], fill=255)
        elif kind == 2:
            draw.rectangle([x, y, x + w, y + h], fill=255)
        else:
            draw.arc([x, y, x + w, y + h], *sorted(rng.uniform(0, 360, 2)), fill=255, width=int(rng.integers(1, 5)))
        soft = np.asarray(layer.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, size / 60))), np.float64)
        alpha = soft[..., None] / 255 * rng.uniform(0.3, 1.0)
        canvas = canvas * (1 - alpha) + _tint(rng, rng.uniform(20, 235), 30) * alpha
    return canvas


def _digit_mask(rng: np.random.Generator, ink: np.ndarray, size: int, heights: tuple[int, int]) -> np.ndarray:
    """Ink of one digit at its final size, float [h, w] in 0..1, cropped to what is visible."""
    height = np.exp(rng.uniform(*np.log(heights))) * size / 256
    big = _resize(np.pad(ink, 2).astype(np.float64), 120, 120, Image.Resampling.BICUBIC)
    tilt, shear, aspect = rng.uniform(-12, 12), rng.uniform(-0.15, 0.15), rng.uniform(0.85, 1.2)
    image = Image.fromarray(np.clip(big, 0, 255).astype(np.uint8)).rotate(tilt, Image.Resampling.BILINEAR)
    image = image.transform((120, 120), Image.Transform.AFFINE, (1, shear, -60 * shear, 0, 1, 0))
    shape = np.asarray(image, np.float64) / 255
    shape = _crop(np.clip((shape - 0.38) / 0.35, 0, 1))
    h = max(8, int(round(height)))
    w = max(4, int(round(h * shape.shape[1] / shape.shape[0] * aspect)))
    return _crop(_resize(shape * 255, h, min(w, int(0.6 * size)), Image.Resampling.BOX) / 255)


def _crop(mask: np.ndarray) -> np.ndarray:
    ys, xs = np.where(mask.max(1) > 0.3)[0], np.where(mask.max(0) > 0.3)[0]
    return mask if not len(ys) or not len(xs) else mask[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]


def _place(rng: np.random.Generator, mask: np.ndarray, boxes: list[np.ndarray], size: int) -> tuple[int, int] | None:
    """A free top-left corner (x, y) that hardly overlaps earlier digits, or None after 30 tries."""
    h, w = mask.shape
    for _ in range(30):
        x, y = int(rng.integers(0, size - w + 1)), int(rng.integers(0, size - h + 1))
        if all(_iou(np.array([x, y, x + w, y + h]), b) <= _MAX_IOU for b in boxes):
            return x, y
    return None


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    side = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = float(np.prod(np.maximum(side, 0)))
    return inter / (float(np.prod(a[2:] - a[:2])) + float(np.prod(b[2:] - b[:2])) - inter)


def _paint(rng: np.random.Generator, canvas: np.ndarray, mask: np.ndarray, at: tuple[int, int]) -> np.ndarray:
    """Blend a digit in: light on dark, dark on light, at least 80 grey levels away from what lies below it."""
    (x, y), (h, w) = at, mask.shape
    below = canvas[y : y + h, x : x + w]
    grey = float(np.clip(below.mean(), 0, 255))
    darker = grey > 128
    step = rng.uniform(80, grey if darker else 255 - grey)
    ink = np.clip(_tint(rng, grey - step if darker else grey + step, 25), 0, 255)
    alpha = mask[..., None] * rng.uniform(0.85, 1.0)
    canvas[y : y + h, x : x + w] = below * (1 - alpha) + ink * alpha
    return canvas


def _thin_strokes(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    size = canvas.shape[0]
    for _ in range(int(rng.integers(0, 4))):
        layer = Image.new("L", (size, size))
        ImageDraw.Draw(layer).line([*rng.uniform(0, size, 4)], fill=255, width=1)
        alpha = np.asarray(layer, np.float64)[..., None] / 255 * rng.uniform(0.3, 0.8)
        canvas = canvas * (1 - alpha) + _tint(rng, rng.uniform(20, 235), 30) * alpha
    return canvas


def _resize(plane: np.ndarray, height: int, width: int, method: Image.Resampling) -> np.ndarray:
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize((width, height), method), np.float64)

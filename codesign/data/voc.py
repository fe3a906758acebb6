# SPDX-License-Identifier: Apache-2.0
"""Pascal VOC folders: JPEGImages/, Annotations/*.xml, ImageSets/Main/<split>.txt, for any class list.

Boxes are (xmin, ymin, xmax, ymax) in continuous pixel edges: VOC's 1-based inclusive corners minus (1, 1, 0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, UnidentifiedImageError

from codesign.errors import UserError

MAX_LABEL = 100  # characters of a class name; model files hold no longer ones
_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
_ALIASES = {"train": ("trainval", "train"), "test": ("test", "val")}


@dataclass(frozen=True)
class Sample:
    """One annotated image. boxes float32 [n, 4], labels int64 [n], difficult bool [n]."""

    name: str
    image: Path
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


def load_image(path: Path) -> np.ndarray:
    """uint8 RGB [H, W, 3]; a missing, truncated or foreign file is a `UserError`.

    Pixels as stored: an EXIF orientation is not applied, because a Pascal VOC box counts stored pixels.
    """
    try:
        with Image.open(path) as image:
            return _rgb(path, image)
    except FileNotFoundError:
        raise UserError(f"{path}: no such image") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable image ({error}); give an intact PNG or JPEG") from None


def _rgb(path: Path, image: Image.Image) -> np.ndarray:
    """Grey of 16 bits is scaled to 8; `Image.convert` would clip it to white."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) * 255 + 32767) // 65535
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise UserError(f"{path}: a picture of 32 bits a pixel (mode {image.mode}); save it with 8 or 16 bits")
    return np.asarray(image.convert("RGB"))


def read_names(folder: Path, split: str) -> list[str]:
    """Image names of a split. 'train' also means trainval.txt (preferred), 'test' also val.txt."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such data folder")
    path = _list_file(folder, split)
    if path is None:
        expected, main = _ALIASES.get(split, (split,)), folder / "ImageSets" / "Main"
        raise UserError(f"{main}: no list for split {split!r}; expected one of {expected} as .txt")
    names = [line.split()[0] for line in _lines(path) if line.split()]
    if not names:
        raise UserError(f"{path}: lists no images; put one image name on a line, without suffix, or remove the file")
    bad = next((n for n in names if "/" in n or "\\" in n or n.startswith(".")), None)
    if bad is not None:
        raise UserError(f"{path}: {bad!r} is not a plain image name")
    return names


def has_split(folder: Path, split: str) -> bool:
    """Whether the folder has a list for this split, under any of its names."""
    return _list_file(Path(folder), split) is not None


def _list_file(folder: Path, split: str) -> Path | None:
    files = [folder / "ImageSets" / "Main" / f"{alias}.txt" for alias in _ALIASES.get(split, (split,))]
    return next((path for path in files if path.is_file()), None)


def read_classes(folder: Path) -> list[str]:
    """Class names: labels.txt (one a line, in order) if there is one, else all names in Annotations/, sorted."""
    folder = Path(folder)
    listed = folder / "labels.txt"
    if listed.is_file():
        names = _checked_names([line.strip() for line in _lines(listed) if line.strip()], listed)
        if not names or len(set(names)) != len(names):
            raise UserError(f"{listed}: must hold distinct class names, one a line")
        return names
    files = sorted((folder / "Annotations").glob("*.xml"))
    found = {_text(o, "name", f) for f in files for o in _parse(f).iter("object")}
    _checked_names(sorted(found), folder / "Annotations")
    if not found:
        raise UserError(f"{folder}: no labels.txt and no object in Annotations/; add one of them")
    return sorted(found)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def _checked_names(names: list[str], where: Path) -> list[str]:
    bad = next((n for n in names if len(n) > MAX_LABEL or not n.isprintable()), None)
    if bad is not None:
        raise UserError(f"{where}: class {repr(bad)[:60]} must be printable text of 1 to {MAX_LABEL} characters; rename it")
    return names


def read_split(folder: Path, split: str, classes: list[str]) -> list[Sample]:
    """Every sample of a split, in the list's order."""
    return [read_sample(Path(folder), name, classes) for name in read_names(folder, split)]


def read_sample(folder: Path, name: str, classes: list[str]) -> Sample:
    """One image's annotation, checked."""
    path = folder / "Annotations" / f"{name}.xml"
    index = {c: i for i, c in enumerate(classes)}
    boxes, labels, difficult = [], [], []
    for entry in _parse(path).iter("object"):
        label = _text(entry, "name", path)
        if label not in index:
            raise UserError(f"{path}: class {label!r} is not one of the model's {len(classes)} classes; correct it or labels.txt")
        boxes.append(_box(entry, path))
        labels.append(index[label])
        difficult.append((entry.findtext("difficult") or "0").strip() == "1")
    return Sample(
        name, _image_path(folder, name), np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64),
        np.array(difficult, bool),
    )  # fmt: skip


def write_annotation(path: Path, image_name: str, size: tuple[int, int], boxes: np.ndarray, names: list[str]) -> None:
    """Write one VOC annotation; size is (height, width), boxes integer pixel edges [n, 4]."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = image_name
    node = ElementTree.SubElement(root, "size")
    for tag, value in (("width", size[1]), ("height", size[0]), ("depth", 3)):
        ElementTree.SubElement(node, tag).text = str(value)
    for box, label in zip(boxes, names, strict=True):
        entry = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(entry, "name").text = label
        ElementTree.SubElement(entry, "difficult").text = "0"
        corners = ElementTree.SubElement(entry, "bndbox")
        values = (int(box[0]) + 1, int(box[1]) + 1, int(box[2]), int(box[3]))
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True):
            ElementTree.SubElement(corners, tag).text = str(value)
    ElementTree.indent(root)
    path.write_text(ElementTree.tostring(root, encoding="unicode") + "\n")


def _parse(path: Path) -> ElementTree.Element:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise UserError(f"{path}: annotations with a document type are refused; remove the DOCTYPE")
        return ElementTree.fromstring(text)
    except FileNotFoundError:
        raise UserError(f"{path}: no such annotation; add it or take the name out of ImageSets/Main") from None
    except (ElementTree.ParseError, UnicodeDecodeError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable annotation ({error}); correct the XML or take the name out of ImageSets/Main") from None


def _text(node: ElementTree.Element, tag: str, path: Path) -> str:
    value = (node.findtext(tag) or "").strip()
    if not value:
        raise UserError(f"{path}: an object lacks <{tag}>; add it")
    return value


def _box(entry: ElementTree.Element, path: Path) -> tuple[float, float, float, float]:
    corners = entry.find("bndbox")
    if corners is None:
        raise UserError(f"{path}: an object lacks <bndbox>; add it")
    try:
        x0, y0, x1, y1 = (float(_text(corners, tag, path)) for tag in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError:
        raise UserError(f"{path}: a box corner is not a number; correct it") from None
    if not np.all(np.isfinite([x0, y0, x1, y1])) or x1 < x0 or y1 < y0:
        raise UserError(f"{path}: box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) is not min to max; correct it")
    return x0 - 1, y0 - 1, x1, y1


def _image_path(folder: Path, name: str) -> Path:
    for suffix in _SUFFIXES:
        path = folder / "JPEGImages" / (name + suffix)
        if path.is_file():
            return path
    raise UserError(f"{folder / 'JPEGImages' / name}: no image file with one of {_SUFFIXES[:3]}")

# SPDX-License-Identifier: Apache-2.0
"""Pascal VOC folders: JPEGImages/, Annotations/*.xml, ImageSets/Main/<split>.txt, for any class list.

Boxes are (xmin, ymin, xmax, ymax) in continuous pixel edges: VOC's 1-based inclusive corners minus (1, 1, 0, 0).
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from codesign.bounded import MIB, read_bytes, reason
from codesign.data.labels import checked_names, read_labels, text_lines
from codesign.data.sample import Sample, load_image
from codesign.errors import UserError

__all__ = ["Sample", "has_split", "load_image", "read_classes", "read_names", "read_sample", "read_split", "write_annotation"]

_MOST_BYTES = 16 * MIB  # of an annotation
_FURTHEST = 1e9  # pixels of a corner
_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")


def read_names(folder: Path, split: str) -> list[str]:
    """Image names of a split; `_list_file` says which list that is."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such data folder")
    path = _list_file(folder, split)
    if path is None:
        main = folder / "ImageSets" / "Main"
        raise UserError(f"{main}: no list for split {split!r}; expected one of {_list_names(folder, split)} as .txt")
    names = [line.split()[0] for line in text_lines(path) if line.split()]
    if not names:
        raise UserError(f"{path}: lists no images; put one image name on a line, without suffix, or remove the file")
    bad = next((n for n in names if "/" in n or "\\" in n or n.startswith(".") or not n.isprintable()), None)
    if bad is not None:
        raise UserError(f"{path}: {bad[:60]!r} is not a plain image name; put one name on a line, without folder and suffix")
    return names


def has_split(folder: Path, split: str) -> bool:
    """Whether the folder has a list for this split, under any of its names."""
    return _list_file(Path(folder), split) is not None


def _list_file(folder: Path, split: str) -> Path | None:
    files = [folder / "ImageSets" / "Main" / f"{name}.txt" for name in _list_names(folder, split)]
    return next((path for path in files if path.is_file()), None)


def _list_names(folder: Path, split: str) -> tuple[str, ...]:
    """Lists that may stand for a split, best first.

    Training takes trainval.txt, but train.txt where val.txt is what there is to test on: no picture is in both.
    """
    if split == "test":
        return ("test", "val")
    if split != "train":
        return (split,)
    main = folder / "ImageSets" / "Main"
    tests_on_val = (main / "val.txt").is_file() and not (main / "test.txt").is_file()
    return ("train", "trainval") if tests_on_val else ("trainval", "train")


def read_classes(folder: Path) -> list[str]:
    """Class names: labels.txt (one a line, in order) if there is one, else all names in Annotations/, sorted."""
    folder = Path(folder)
    listed = read_labels(folder)
    if listed is not None:
        return listed
    files = sorted((folder / "Annotations").glob("*.xml"))
    found = {_text(o, "name", f) for f in files for o in _parse(f).iter("object")}
    checked_names(sorted(found), folder / "Annotations")
    if not found:
        raise UserError(f"{folder}: no labels.txt and no object in Annotations/; add one of them")
    return sorted(found)


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
            raise UserError(f"{path}: class {label[:60]!r} is not one of the model's {len(classes)} classes; correct it or labels.txt")
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
    if not path.is_file():
        raise UserError(f"{path}: no such annotation; add it or take the name out of ImageSets/Main")
    content = read_bytes(path, _MOST_BYTES)
    try:
        text = content.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise UserError(f"{path}: annotations with a document type are refused; remove the DOCTYPE")
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise UserError(f"{path}: not a readable annotation ({reason(error)}); correct the XML or take the name out of ImageSets/Main") from None


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
    if not np.all(np.abs([x0, y0, x1, y1]) < _FURTHEST) or x1 < x0 or y1 < y0:
        raise UserError(f"{path}: box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) is not min to max; correct it")
    return x0 - 1, y0 - 1, x1, y1


def _image_path(folder: Path, name: str) -> Path:
    for suffix in _SUFFIXES:
        path = folder / "JPEGImages" / (name + suffix)
        if path.is_file():
            return path
    raise UserError(f"{folder / 'JPEGImages' / name}: no image file with one of {_SUFFIXES[:3]}; add it or take the name out of ImageSets/Main")

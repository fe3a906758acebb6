# SPDX-License-Identifier: Apache-2.0
"""COCO folders: annotations/instances_<split>.json (or <split>.json), images beside them, for any categories.

Boxes are [x, y, width, height] in pixel edges. Categories of any ids become classes in the order of their ids. A crowd
(``iscrowd``) is a difficult box around a group; a box without width or height is left out, as no detector can find it.
Also read: a folder per split with its ``_annotations.coco.json`` and images, as dataset tools export.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from codesign.bounded import read_bytes, reason
from codesign.data.labels import checked_names, read_labels
from codesign.data.sample import Sample
from codesign.errors import UserError

_MOST_BYTES = 1 << 30  # COCO's own largest file has 448 MB
_OTHER_TASKS = ("captions", "image_info", "panoptic", "person_keypoints", "stuff")
_EXPORT = "_annotations.coco.json"
_ALIASES = {"train": ("train",), "test": ("test", "val", "valid")}


@dataclass(frozen=True)
class _Picture:
    """A picture's entries: boxes float64 [n, 4] as edges, category ids [n], crowd [n], areas [n]."""

    file: str
    boxes: list[tuple[float, float, float, float]]
    categories: list[int]
    crowd: list[bool]
    areas: list[float]


@dataclass(frozen=True)
class _Document:
    """What a file of annotations says about detection; categories by id."""

    categories: dict[int, str]
    pictures: list[_Picture]


def annotation_files(folder: Path) -> list[Path]:
    """Every file that can hold detection annotations."""
    listed = sorted((Path(folder) / "annotations").glob("*.json"))
    own = [path for path in listed if not path.name.startswith(_OTHER_TASKS)]
    return own + sorted(Path(folder).glob(f"*/{_EXPORT}"))


def has_split(folder: Path, split: str) -> bool:
    """Whether the folder has annotations for this split, under any of its names."""
    return _split_file(Path(folder), split) is not None


def read_classes(folder: Path) -> list[str]:
    """Class names: labels.txt (one a line, in order) if there is one, else the training file's categories by id."""
    folder = Path(folder)
    listed = read_labels(folder)
    if listed is not None:
        return listed
    path = _split_file(folder, "train") or _split_file(folder, "test")
    if path is None:
        raise UserError(f"{folder / 'annotations'}: no file for train or test; name one instances_train.json")
    categories = _load(path).categories
    return [categories[key] for key in sorted(categories)]


def read_split(folder: Path, split: str, classes: list[str]) -> list[Sample]:
    """Every picture of a split, in the file's order, those without objects too."""
    folder = Path(folder)
    path = _split_file(folder, split)
    if path is None:
        names = " or ".join(f"instances_{alias}.json" for alias in _ALIASES.get(split, (split,)))
        raise UserError(f"{folder / 'annotations'}: no annotations for split {split!r}; expected {names}")
    document = _load(path)
    if not document.pictures:
        raise UserError(f"{path}: lists no images; add them or remove the file")
    index = {name: k for k, name in enumerate(classes)}
    used = {key for picture in document.pictures for key in picture.categories}
    foreign = next((document.categories[key] for key in sorted(used) if document.categories[key] not in index), None)
    if foreign is not None:
        raise UserError(f"{path}: class {foreign!r} is not one of the model's {len(classes)} classes; correct it or labels.txt")
    label = {key: index[document.categories[key]] for key in used}
    places = _image_folders(folder, path, split)
    return [_sample(picture, label, places, path) for picture in document.pictures]


def _sample(picture: _Picture, label: dict[int, int], places: list[Path], path: Path) -> Sample:
    image = next((place / picture.file for place in places if (place / picture.file).is_file()), None)
    if image is None:
        looked = ", ".join(f"{place}/" for place in places)
        raise UserError(f"{path}: image {picture.file[:100]!r} is not in {looked}; add it or take it out of the annotations")
    crowd = np.array(picture.crowd, bool)
    return Sample(
        PurePosixPath(picture.file).stem, image, np.array(picture.boxes, np.float32).reshape(-1, 4),
        np.array([label[key] for key in picture.categories], np.int64), crowd.copy(), crowd, np.array(picture.areas, np.float32),
    )  # fmt: skip


def _split_file(folder: Path, split: str) -> Path | None:
    files = annotation_files(folder)
    for alias in _ALIASES.get(split, (split,)):
        named = [path for path in files if alias in _words(path)]
        chosen = [path for path in named if path.name.startswith("instances")] or named
        if len(chosen) > 1:
            shown = ", ".join(str(path.relative_to(folder)) for path in chosen[:3])
            raise UserError(f"{folder}: several annotations for split {split!r} ({shown}); keep one of them there")
        if chosen:
            return chosen[0]
    return None


def _words(path: Path) -> list[str]:
    """instances_train2017.json: instances, train."""
    name = path.parent.name if path.name == _EXPORT else path.stem
    return re.split(r"[^a-z]+", name.lower())


def _image_folders(folder: Path, path: Path, split: str) -> list[Path]:
    """Where a split's images may be, those that exist."""
    if path.name == _EXPORT:
        return [path.parent]
    own = [path.stem.removeprefix("instances").strip("_-"), *_ALIASES.get(split, (split,))]
    under = [place for name in own if name for place in (folder / name, folder / "images" / name)]
    places = [place for place in [*under, folder / "images", folder / "JPEGImages", folder] if place.is_dir()]
    return list(dict.fromkeys(places))


def _load(path: Path) -> _Document:
    try:
        state = path.stat()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    return _parse(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _parse(path: Path, _changed: int, _size: int) -> _Document:
    content = read_bytes(path, _MOST_BYTES)
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a readable COCO file ({reason(error)}); correct the JSON") from None
    categories = _categories(document, path)
    pictures: dict[int | str, _Picture] = {}
    for entry in _entries(document, "images", path):
        key, name = entry.get("id"), entry.get("file_name")
        if type(key) not in (int, str) or key in pictures or not isinstance(name, str) or not _inside(name):
            raise UserError(f"{path}: image {_shown(entry)} lacks an id of its own or a file_name inside the folder; correct it")
        pictures[key] = _Picture(name, [], [], [], [])
    for entry in _entries(document, "annotations", path):
        _add(entry, pictures, categories, path)
    return _Document(categories, list(pictures.values()))


def _entries(document: Any, key: str, path: Path) -> list[dict[str, Any]]:
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise UserError(f"{path}: has no list of {key}; a COCO file holds images, annotations and categories")
    return found


def _categories(document: Any, path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in _entries(document, "categories", path):
        key, name = entry.get("id"), entry.get("name")
        if type(key) is not int or key in found or not isinstance(name, str) or not name.strip():
            raise UserError(f"{path}: category {_shown(entry)} lacks an id of its own or a name; correct it")
        found[key] = name.strip()
    names = checked_names(list(found.values()), path)
    if not names or len(set(names)) != len(names):
        raise UserError(f"{path}: categories must be at least one, with names of their own")
    return found


def _add(entry: dict[str, Any], pictures: dict[int | str, _Picture], categories: dict[int, str], path: Path) -> None:
    image, category, box = entry.get("image_id"), entry.get("category_id"), entry.get("bbox")
    if type(image) not in (int, str) or image not in pictures or type(category) is not int or category not in categories:
        raise UserError(f"{path}: annotation {_shown(entry)} names no image or no category of this file; correct it")
    if not isinstance(box, list) or len(box) != 4 or not all(_finite(value) for value in box) or min(box[2:]) < 0:
        raise UserError(f"{path}: annotation {_shown(entry)} needs bbox [x, y, width, height]; correct it")
    x, y, width, height = (float(value) for value in box)
    if width == 0 or height == 0:
        return
    area = entry.get("area")
    picture = pictures[image]
    picture.boxes.append((x, y, x + width, y + height))
    picture.categories.append(category)
    picture.crowd.append(entry.get("iscrowd", 0) in (1, True))
    picture.areas.append(float(area) if _finite(area) and area > 0 else width * height)


def _finite(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9 and math.isfinite(value)  # type: ignore[arg-type, operator]


def _inside(name: str) -> bool:
    """Whether a file name stays inside the folder it is looked for in."""
    parts = PurePosixPath(name).parts
    return bool(parts) and name.isprintable() and "\\" not in name and not name.startswith("/") and ".." not in parts


def _shown(entry: dict[str, Any]) -> str:
    kept = {key: entry[key] for key in ("id", "file_name", "name", "image_id", "category_id", "bbox") if key in entry}
    text = repr(kept)
    return text if len(text) <= 120 else f"{text[:117]}..."

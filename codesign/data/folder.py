# SPDX-License-Identifier: Apache-2.0
"""A data folder of either layout: Pascal VOC (codesign.data.voc) or COCO (codesign.data.coco). This file decides which."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from codesign.data import coco, voc
from codesign.data.sample import Sample
from codesign.errors import UserError

EXPECTED = "Pascal VOC (JPEGImages/, Annotations/, ImageSets/Main/train.txt) or COCO (annotations/instances_train.json and images)"


def layout(folder: Path) -> str:
    """'voc' or 'coco', by what lies in the folder; a UserError where it is neither or both."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such data folder")
    is_voc, is_coco = (folder / "ImageSets" / "Main").is_dir(), bool(coco.annotation_files(folder))
    if is_voc and is_coco:
        raise UserError(f"{folder}: holds both ImageSets/Main and COCO annotations; move one of them elsewhere")
    if not is_voc and not is_coco:
        raise UserError(f"{folder}: no data folder; expected {EXPECTED}{_nearby(folder)}")
    return "voc" if is_voc else "coco"


def _nearby(folder: Path) -> str:
    """A hint at a folder inside that would do, as in VOCdevkit/VOC2007."""
    inside = sorted(folder.glob("*/ImageSets/Main")) + sorted(folder.glob("*/*/ImageSets/Main"))
    return f"; did you mean {inside[0].parent.parent}?" if inside else ""


def _reader(folder: Path) -> ModuleType:
    return {"voc": voc, "coco": coco}[layout(folder)]


def has_split(folder: Path, split: str) -> bool:
    """Whether the folder has a list for 'train' or 'test', under any of its names."""
    return bool(_reader(folder).has_split(folder, split))


def read_classes(folder: Path) -> list[str]:
    """Class names in the order of their labels."""
    return list(_reader(folder).read_classes(folder))


def read_split(folder: Path, split: str, classes: list[str]) -> list[Sample]:
    """Every sample of 'train' or 'test', in the folder's order; classes give the labels."""
    return list(_reader(folder).read_split(folder, split, list(classes)))

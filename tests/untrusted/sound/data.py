# SPDX-License-Identifier: Apache-2.0
"""Pictures, data sets and archives of them.

Sound files, small, and the readers that commands use on them. Imports are where they are needed: a process reads some kinds.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def _voc(folder: Path) -> None:
    from codesign.data.voc import write_annotation

    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    _picture().save(folder / "JPEGImages" / "one.png")
    write_annotation(folder / "Annotations" / "one.xml", "one.png", (24, 32), np.array([[1, 2, 20, 21], [3, 3, 9, 9]]), ["cat", "dog"])
    (folder / "ImageSets" / "Main" / "train.txt").write_text("one\n")
    (folder / "labels.txt").write_text("cat\ndog\n")


def _picture() -> Any:
    from PIL import Image

    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8))


def _part_of_voc(name: str, without: str = "") -> Any:
    def make(folder: Path) -> Path:
        _voc(folder)
        if without:
            (folder / without).unlink()
        return folder / name

    return make


voc_annotation = _part_of_voc("Annotations/one.xml", "labels.txt")
voc_list, voc_labels, voc_picture = _part_of_voc("ImageSets/Main/train.txt"), _part_of_voc("labels.txt"), _part_of_voc("JPEGImages/one.png")


def read_voc(path: Path) -> None:
    from codesign.data.folder import read_classes, read_split

    folder = path.parents[len(path.parents) - 1 - next(n for n, p in enumerate(reversed(path.parents)) if p.name == "case")]
    read_split(folder, "train", read_classes(folder))


def photograph(folder: Path) -> Path:
    _picture().save(folder / "one.jpg")
    return folder / "one.jpg"


def read_picture(path: Path) -> None:
    from codesign.data.sample import load_image

    load_image(path)


def coco(folder: Path) -> Path:
    (folder / "annotations").mkdir()
    (folder / "images").mkdir()
    _picture().save(folder / "images" / "one.png")
    boxes = [{"id": n, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10.5, 11], "area": 90.0, "iscrowd": 0} for n in range(3)]
    document = {"images": [{"id": 1, "file_name": "one.png", "width": 32, "height": 24}], "annotations": boxes,
                "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]}  # fmt: skip
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(document))
    return folder / "annotations" / "instances_train.json"


def read_coco(path: Path) -> None:
    from codesign.data.folder import read_classes, read_split

    read_split(path.parents[1], "train", read_classes(path.parents[1]))


_MEMBERS = {"set/BCCD/JPEGImages/one.jpg": b"\xff\xd8" * 50, "set/BCCD/Annotations/one.xml": b"<annotation/>" * 9, "set/LICENSE": b"free"}


def data_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        for name, kind in zip(_MEMBERS, (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
            archive.writestr(name, _MEMBERS[name], kind)
    return folder / "set.zip"


def data_tar(folder: Path) -> Path:
    with tarfile.open(folder / "set.tar.gz", "w:gz") as archive:
        for name, data in _MEMBERS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / "set.tar.gz"


def unpack_data(path: Path) -> None:
    from codesign.data.archives import DATA_SETS
    from codesign.data.unpack import unpack

    (path.parent / "into").mkdir(exist_ok=True)
    unpack(path, path.parent / "into", DATA_SETS["bccd"].archives[0].target, lambda done: None)

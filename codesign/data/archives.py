# SPDX-License-Identifier: Apache-2.0
"""The data sets that `codesign download` knows: where their archives are, and where each file in them belongs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VOC = "http://host.robots.ox.ac.uk/pascal/VOC"
_COCO = "http://images.cocodataset.org"
VOC_CLASSES = ("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
               "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor")  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """One file to fetch. ``rules`` (pattern, target) say where members go: the first that matches a whole name decides,
    and what none matches stays packed. ``sha256`` is None where the publisher's file may change.
    """

    url: str
    rules: tuple[tuple[str, str], ...]
    sha256: str | None = None

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[1]

    def target(self, member: str) -> str | None:
        """Where a member belongs, relative to the data folder; None for those that are not wanted."""
        for pattern, place in self.rules:
            found = re.fullmatch(pattern, member)
            if found:
                return found.expand(place)
        return None


@dataclass(frozen=True)
class DataSet:
    """Archives that make one data folder; ``lists`` joins unpacked lists (target, parts), written when all is there."""

    title: str
    archives: tuple[Archive, ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    labels: tuple[str, ...] = ()


def _voc_rules(year: str, lists: str) -> tuple[tuple[str, str], ...]:
    root = rf"VOCdevkit/VOC{year}"
    return (
        (rf"{root}/(JPEGImages/[^/]+\.jpg|Annotations/[^/]+\.xml)", r"\1"),
        (rf"{root}/ImageSets/Main/({lists})\.txt", rf"ImageSets/Main/voc{year}_\1.txt"),
    )


_BCCD = (
    (r"[^/]+/BCCD/(JPEGImages/[^/]+\.jpg|Annotations/[^/]+\.xml|ImageSets/Main/(?:train|val|trainval|test)\.txt)", r"\1"),
    (r"[^/]+/(LICENSE)", r"\1"),
)

DATA_SETS: dict[str, DataSet] = {
    "voc": DataSet(
        "Pascal VOC 2007 and 2012: trainval of both, test of 2007; 2.9 GB",
        (
            Archive(f"{_VOC}/voc2007/VOCtrainval_06-Nov-2007.tar", _voc_rules("2007", "trainval"),
                    "7d8cd951101b0957ddfd7a530bdc8a94f06121cfc1e511bb5937e973020c7508"),
            Archive(f"{_VOC}/voc2007/VOCtest_06-Nov-2007.tar", _voc_rules("2007", "test"),
                    "6836888e2e01dca84577a849d339fa4f73e1e4f135d312430c4856b5609b4892"),
            Archive(f"{_VOC}/voc2012/VOCtrainval_11-May-2012.tar", _voc_rules("2012", "trainval"),
                    "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb"),
        ),
        (
            ("ImageSets/Main/trainval.txt", ("ImageSets/Main/voc2007_trainval.txt", "ImageSets/Main/voc2012_trainval.txt")),
            ("ImageSets/Main/test.txt", ("ImageSets/Main/voc2007_test.txt",)),
        ),
        VOC_CLASSES,
    ),
    "bccd": DataSet(
        "BCCD: 364 photographs of blood cells, MIT licence; 7 MB",
        (Archive("https://github.com/Shenggan/BCCD_Dataset/archive/refs/heads/master.zip", _BCCD),),
        labels=("Platelets", "RBC", "WBC"),
    ),
    "coco": DataSet(
        "COCO 2017: train and val with detection annotations; 20 GB",
        (
            Archive(f"{_COCO}/annotations/annotations_trainval2017.zip", ((r"(annotations/instances_(?:train|val)2017\.json)", r"\1"),),
                    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"),
            Archive(f"{_COCO}/zips/val2017.zip", ((r"(val2017/[^/]+\.jpg)", r"\1"),),
                    "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
            Archive(f"{_COCO}/zips/train2017.zip", ((r"(train2017/[^/]+\.jpg)", r"\1"),),
                    "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"),
        ),
    ),
}  # fmt: skip

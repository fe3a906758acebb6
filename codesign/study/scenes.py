# SPDX-License-Identifier: Apache-2.0
"""Kinds of digit scene: how widely the size of objects varies, all seen at one stride."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from codesign.data.digits import write_scenes


@dataclass(frozen=True)
class Kind:
    """`heights`: smallest and largest digit, pixels of a 256-pixel scene; log-uniform between."""

    name: str
    title: str
    heights: tuple[int, int]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("usual", "usual scales", (48, 144)),
        Kind("wide", "scale varied widely", (28, 240)),
        Kind("narrow", "nearly one scale", (88, 104)),
    )
}
SCENE_SEED = 1  # the scenes of a kind are the same for every run


def scene_folder(root: Path, kind: Kind, train: int, test: int, size: int) -> Path:
    """The Pascal VOC folder of these scenes, written once."""
    folder = root / f"{kind.name}-{train}-{test}-{size}"
    wanted = json.dumps({"heights": kind.heights, "seed": SCENE_SEED})
    stamp = folder / "scenes.json"  # written last
    if not stamp.is_file() or stamp.read_text() != wanted:
        write_scenes(folder, train, test, size, SCENE_SEED, kind.heights)
        stamp.write_text(wanted)
    return folder

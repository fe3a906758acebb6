# SPDX-License-Identifier: Apache-2.0
"""Pascal VOC folders: round trip, and one clear line for every kind of broken file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.data.voc import load_image, read_classes, read_names, read_sample, read_split, write_annotation
from codesign.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / part).mkdir(parents=True)
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "JPEGImages/a.png")
    write_annotation(tmp_path / "Annotations/a.xml", "a.png", (40, 60), np.array([[2, 3, 20, 30], [0, 0, 60, 40]]),
                     ["dog", "cat"])  # fmt: skip
    (tmp_path / "ImageSets/Main/trainval.txt").write_text("a\n\n")
    return tmp_path


def test_round_trip_in_pixel_edges(folder: Path) -> None:
    assert read_classes(folder) == ["cat", "dog"]
    (sample,) = read_split(folder, "train", ["cat", "dog"])
    assert sample.boxes.tolist() == [[2, 3, 20, 30], [0, 0, 60, 40]]
    assert sample.labels.tolist() == [1, 0] and not sample.difficult.any()
    assert load_image(sample.image).shape == (40, 60, 3)


def test_labels_file_sets_the_order(folder: Path) -> None:
    (folder / "labels.txt").write_text("dog\ncat\n")
    assert read_classes(folder) == ["dog", "cat"]


def test_image_without_objects_is_fine(folder: Path) -> None:
    write_annotation(folder / "Annotations/a.xml", "a.png", (40, 60), np.zeros((0, 4)), [])
    assert read_sample(folder, "a", ["cat"]).boxes.shape == (0, 4)


@pytest.mark.parametrize("text,words", [
    ("<annotation><object>", "not a readable annotation"),
    ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "document type"),
    ("<annotation><object><name>dog</name></object></annotation>", "bndbox"),
    ("<annotation><object/></annotation>", "lacks <name>"),
    ("<annotation><object><name>emu</name></object></annotation>", "'emu' is not one of"),
    ("<annotation><object><name>dog</name><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>2</xmax><ymax>4</ymax></bndbox>"
     "</object></annotation>", "not min to max"),
    ("<annotation><object><name>dog</name><bndbox><xmin>x</xmin><ymin>1</ymin><xmax>2</xmax><ymax>4</ymax></bndbox>"
     "</object></annotation>", "not a number"),
])  # fmt: skip
def test_broken_annotations_are_refused(folder: Path, text: str, words: str) -> None:
    (folder / "Annotations/a.xml").write_text(text)
    with pytest.raises(UserError, match=words):
        read_split(folder, "train", ["cat", "dog"])


def test_missing_parts_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="no such data folder"):
        read_names(folder / "nowhere", "train")
    with pytest.raises(UserError, match="no list for split 'test'"):
        read_names(folder, "test")
    (folder / "ImageSets/Main/test.txt").write_text("../a\n")
    with pytest.raises(UserError, match="plain image name"):
        read_names(folder, "test")
    (folder / "ImageSets/Main/test.txt").write_text("b\n")
    with pytest.raises(UserError, match="no such annotation"):
        read_split(folder, "test", ["cat", "dog"])
    (folder / "JPEGImages/a.png").unlink()
    with pytest.raises(UserError, match="no image file"):
        read_split(folder, "train", ["cat", "dog"])


def test_broken_images_are_refused(folder: Path) -> None:
    path = folder / "JPEGImages/a.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="not a readable image"):
        load_image(path)
    with pytest.raises(UserError, match="no such image"):
        load_image(folder / "JPEGImages/z.png")


@pytest.mark.parametrize(("file", "data", "words"), [
    ("labels.txt", b"caf\xe9\n", "labels.txt: not UTF-8 text .byte 3.; save it as UTF-8"),
    ("labels.txt", b"a\x1b[31m\n", "printable text"),
    ("labels.txt", b"a" * 101, "1 to 100 characters"),
    ("ImageSets/Main/test.txt", b"caf\xe9\n", "test.txt: not UTF-8 text"),
    ("Annotations/a.xml", b"<annotation>", "a.xml: not a readable annotation .*; correct the XML"),
])  # fmt: skip
def test_files_that_cannot_be_decoded_name_the_remedy(folder: Path, file: str, data: bytes, words: str) -> None:
    (folder / file).write_bytes(data)
    with pytest.raises(UserError, match=words) as caught:
        read_split(folder, "test" if "test" in file else "train", read_classes(folder))
    assert "\n" not in str(caught.value)


def test_sixteen_bit_grey_is_scaled_and_thirty_two_bit_refused(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png")
    assert load_image(tmp_path / "grey.png").tolist() == [[[v] * 3 for v in (0, 0, 1, 128, 255)]]
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(UserError, match="32 bits a pixel"):
        load_image(tmp_path / "float.tiff")

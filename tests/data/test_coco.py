# SPDX-License-Identifier: Apache-2.0
"""COCO folders: read as annotated, and one clear line for every kind of broken file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesign.data.folder import has_split, layout, read_classes, read_split
from codesign.errors import UserError
from tests.data.coco_folder import document, write_folder


def test_boxes_classes_crowds_and_areas(tmp_path):
    write_folder(tmp_path)
    assert layout(tmp_path) == "coco"
    assert read_classes(tmp_path) == ["dog", "cat"], "in the order of the ids"
    first, second = read_split(tmp_path, "train", ["dog", "cat"])
    assert first.boxes.tolist() == [[2.5, 3, 22.5, 33], [0, 0, 60, 40]], "a box without width is left out"
    assert first.labels.tolist() == [1, 0] and first.areas.tolist() == [400.5, 900]
    assert first.crowd.tolist() == first.difficult.tolist() == [False, True]
    alone = first.without_crowds()
    assert alone.labels.tolist() == [1] and alone.areas.tolist() == [400.5] and second.without_crowds() is second
    assert first.image == tmp_path / "train2017" / "a.jpg" and first.name == "a"
    assert second.boxes.shape == (0, 4), "pictures without objects count"
    assert read_split(tmp_path, "test", ["dog", "cat"])[0].image == tmp_path / "val2017" / "a.jpg"


def test_labels_file_sets_the_order_and_another_models_classes_are_kept(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "labels.txt").write_text("cat\nbird\ndog\n")
    classes = read_classes(tmp_path)
    assert read_split(tmp_path, "test", classes)[0].labels.tolist() == [0, 2]
    with pytest.raises(UserError, match="'dog' is not one of the model's 1 classes"):
        read_split(tmp_path, "test", ["cat"])


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("instances_train2014", "instances_val2014"), ("train", "valid")])
def test_names_of_splits(tmp_path, train, test):
    write_folder(tmp_path, train, test)
    (tmp_path / "annotations" / "captions_train2014.json").write_text("not read")
    (tmp_path / "annotations" / "image_info_test2017.json").write_text("not read")
    assert has_split(tmp_path, "train") and has_split(tmp_path, "test")
    assert len(read_split(tmp_path, "train", ["dog", "cat"])) == len(read_split(tmp_path, "test", ["dog", "cat"])) == 2


def test_images_under_images_and_file_names_with_folders(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "train2017").rename(tmp_path / "images" / "train2017")
    assert read_split(tmp_path, "train", ["dog", "cat"])[1].image == tmp_path / "images" / "train2017" / "b.jpg"
    named = document(images=[{"id": 7, "file_name": "val2017/a.jpg"}, {"id": 3, "file_name": "val2017/b.jpg"}])
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(named))
    assert read_split(tmp_path, "test", ["dog", "cat"])[0].image.is_file()


def test_a_folder_per_split(tmp_path):
    write_folder(tmp_path, "train", "valid")
    for split in ("train", "valid"):
        (tmp_path / "annotations" / f"{split}.json").rename(tmp_path / split / "_annotations.coco.json")
    assert layout(tmp_path) == "coco" and has_split(tmp_path, "test")
    assert read_split(tmp_path, "test", ["dog", "cat"])[0].image == tmp_path / "valid" / "a.jpg"


@pytest.mark.parametrize(("changes", "words"), [
    ({"images": None}, "has no list of images"),
    ({"annotations": [1]}, "has no list of annotations"),
    ({"categories": []}, "at least one"),
    ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "names of their own"),
    ({"categories": [{"id": 1, "name": "a\x1b[31m"}]}, "printable text"),
    ({"categories": [{"id": True, "name": "a"}]}, "lacks an id"),
    ({"images": [{"id": 7, "file_name": "../a.jpg"}]}, "inside the folder"),
    ({"images": [{"id": 7, "file_name": "/etc/hostname"}]}, "inside the folder"),
    ({"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}]}, "id of its own"),
    ({"images": []}, "names no image"),
    ({"images": [], "annotations": []}, "lists no images"),
    ({"images": [{"id": 7, "file_name": "z.jpg"}]}, "'z.jpg' is not in"),
    ({"annotations": [{"image_id": 7, "category_id": 5, "bbox": [0, 0, 1, 1]}]}, "no category of this file"),
    ({"annotations": [{"image_id": 7, "category_id": 18, "bbox": [0, 0, -1, 1]}]}, "needs bbox"),
    ({"annotations": [{"image_id": 7, "category_id": 18, "bbox": [0, 0, 1e300, 1]}]}, "needs bbox"),
    ({"annotations": [{"image_id": 7, "category_id": 18, "bbox": [0, 0, "1", 1]}]}, "needs bbox"),
    ({"annotations": [{"image_id": [7], "category_id": 18, "bbox": [0, 0, 1, 1]}]}, "names no image"),
])  # fmt: skip
def test_broken_documents_are_refused(tmp_path, changes, words):
    write_folder(tmp_path, **changes)
    with pytest.raises(UserError, match=words) as caught:
        read_split(tmp_path, "train", read_classes(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"images": [', "[" * 100_000, "\xff", '{"images": 1}'])
def test_files_that_are_no_json_are_refused(tmp_path, text):
    write_folder(tmp_path)
    (tmp_path / "annotations" / "instances_train2017.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="instances_train2017.json: "):
        read_classes(tmp_path)


def test_missing_and_doubtful_splits_are_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "annotations" / "instances_val2017.json").rename(tmp_path / "annotations" / "instances_train.json")
    assert not has_split(tmp_path, "test")
    with pytest.raises(UserError, match="no annotations for split 'test'"):
        read_split(tmp_path, "test", ["dog", "cat"])
    with pytest.raises(UserError, match="several annotations for split 'train'"):
        read_split(tmp_path, "train", ["dog", "cat"])


def test_layout_is_decided_in_one_place(tmp_path):
    with pytest.raises(UserError, match="no such data folder"):
        layout(tmp_path / "nowhere")
    with pytest.raises(UserError, match="expected Pascal VOC .* or COCO"):
        layout(tmp_path)
    (tmp_path / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main").mkdir(parents=True)
    with pytest.raises(UserError, match="did you mean .*VOC2007"):
        layout(tmp_path)
    assert layout(tmp_path / "VOCdevkit" / "VOC2007") == "voc"
    write_folder(tmp_path / "VOCdevkit" / "VOC2007" / "x")
    (tmp_path / "VOCdevkit" / "VOC2007" / "x" / "annotations").rename(tmp_path / "VOCdevkit" / "VOC2007" / "annotations")
    with pytest.raises(UserError, match="holds both"):
        layout(tmp_path / "VOCdevkit" / "VOC2007")


def test_trains_on_no_picture_that_it_tests_on(tmp_path: Path):
    """VOC2012 as unpacked has train, val and trainval, and no test list."""
    from codesign.data.voc import read_names

    main = tmp_path / "ImageSets" / "Main"
    main.mkdir(parents=True)
    for name, lines in (("train", "a\n"), ("val", "b\n"), ("trainval", "a\nb\n")):
        (main / f"{name}.txt").write_text(lines)
    assert read_names(tmp_path, "train") == ["a"] and read_names(tmp_path, "test") == ["b"]
    (main / "test.txt").write_text("c\n")
    assert read_names(tmp_path, "train") == ["a", "b"] and read_names(tmp_path, "test") == ["c"]

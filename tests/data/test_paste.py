# SPDX-License-Identifier: Apache-2.0
"""Copy-paste: rare classes first, nothing annotated is covered, boxes lie where the object is."""

import numpy as np

from codesign.data.paste import Paster


def scenes() -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Grey pictures with dark squares of class 0 (many) and bright ones of class 1 (few)."""
    images, boxes, labels = [], [], []
    for n in range(8):
        image = np.full((120, 160, 3), 120, np.uint8)
        mine = [(10, 10, 40, 40, 0), (60, 10, 90, 40, 0)] + ([(20, 70, 32, 82, 1)] if n == 0 else [])
        for x0, y0, x1, y1, label in mine:
            image[y0:y1, x0:x1] = 250 if label else 10
        images.append(image)
        boxes.append(np.array([m[:4] for m in mine], np.float32))
        labels.append(np.array([m[4] for m in mine]))
    return images, boxes, labels


def test_rare_classes_come_as_often_as_common_ones_and_cover_nothing() -> None:
    images, boxes, labels = scenes()
    paster, rng, added = Paster(images, boxes, labels), np.random.default_rng(1), []
    for n in range(60):
        k = n % len(images)
        image, now, classes = paster.paste(images[k], boxes[k], labels[k], 3, rng)
        assert (images[k][10:40, 10:40] == 10).all() and (image[12:38, 12:38] == 10).all()
        for box, label in zip(now[len(boxes[k]) :], classes[len(boxes[k]) :], strict=True):
            x0, y0, x1, y1 = np.round(box).astype(int)
            middle = image[(y0 + y1) // 2, (x0 + x1) // 2].mean()
            assert middle > 220 if label else middle < 40
            added.append(int(label))
    assert 0.35 < np.mean(added) < 0.65


def test_same_seed_same_picture_and_nothing_to_paste_is_fine() -> None:
    images, boxes, labels = scenes()
    one, two = (Paster(images, boxes, labels).paste(images[0], boxes[0], labels[0], 5, np.random.default_rng(7)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    empty = Paster(images[:1], [np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)])
    image, now, _ = empty.paste(images[0], boxes[0], labels[0], 5, np.random.default_rng(7))
    assert (image == images[0]).all() and len(now) == len(boxes[0])

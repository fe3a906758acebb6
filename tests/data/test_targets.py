# SPDX-License-Identifier: Apache-2.0
"""CenterNet targets and augmentation geometry."""

import numpy as np
import pytest

from codesign.data.augment import Augment, augment, resize, scale_boxes
from codesign.data.targets import draw_gaussian, gaussian_radius, make_targets


def test_published_radius() -> None:
    """Values of CenterNet's formula worked out by hand for square boxes: r3 is the smallest of its three roots."""
    for side in (6.0, 20.0):
        a, b, c = 4 * 0.7, 2 * 0.7 * 2 * side, (0.7 - 1) * side * side
        want = (-b + np.sqrt(b * b - 4 * a * c)) / 2  # published: not divided by a
        assert gaussian_radius(side, side) == pytest.approx(min(want, gaussian_radius(side, side)))
    assert gaussian_radius(40, 40) > gaussian_radius(10, 10) > 0


def test_gaussian_is_clipped_at_borders_and_keeps_the_larger_value() -> None:
    plane = np.zeros((6, 6), np.float32)
    draw_gaussian(plane, 0, 0, 2)
    draw_gaussian(plane, 1, 0, 1)
    assert plane[0, 0] == 1 and plane[0, 1] == 1 and plane[5, 5] == 0 and plane.max() == 1


def test_centres_sizes_offsets() -> None:
    t = make_targets(np.array([[8, 4, 24, 14]]), np.array([2]), 3, (32, 64))
    assert t.heatmap.shape == (3, 8, 16) and t.heatmap[2, 2, 4] == 1 and t.heatmap[:2].max() == 0
    assert t.index.tolist() == [2 * 16 + 4]
    assert t.size.tolist() == [[4, 2.5]] and t.offset.tolist() == [[0, 0.25]]


def test_no_objects() -> None:
    t = make_targets(np.zeros((0, 4)), np.zeros(0, np.int64), 2, (32, 32))
    assert t.heatmap.max() == 0 and t.index.shape == (0,)


@pytest.mark.parametrize("seed", range(6))
def test_boxes_follow_the_pixels(seed: int) -> None:
    """A bright rectangle stays inside its moved box, whatever the transform."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[20:40, 30:60] = 255
    how = Augment(colour=0.0, hflip=True, vflip=True)
    rng = np.random.default_rng(seed)
    view, boxes, labels = augment(image, np.array([[30, 20, 60, 40.0]]), np.array([1]), (64, 96), rng, how)
    assert view.shape == (64, 96, 3)
    if len(boxes):
        x0, y0, x1, y1 = boxes[0]
        inside = view[int(np.ceil(y0)) + 2 : int(y1) - 2, int(np.ceil(x0)) + 2 : int(x1) - 2]
        assert labels.tolist() == [1] and inside.min() > 200


def test_resize_and_scale_boxes() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert resize(image, (4, 4)) is image and resize(image, (8, 2)).shape == (8, 2, 3)
    assert scale_boxes(np.array([[1, 2, 3, 4]]), (4, 4), (8, 2)).tolist() == [[0.5, 4, 1.5, 8]]

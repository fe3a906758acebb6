# SPDX-License-Identifier: Apache-2.0
"""Pictures into a network's input and boxes back, stretched and letterboxed."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.data.fit import FITS, GREY, checked_fit, fit_picture, fit_scale
from codesign.errors import UserError

SIZES = [(480, 640), (640, 480), (40, 60), (256, 256), (1, 300), (33, 7)]
INPUTS = [(256, 256), (96, 320), (320, 96), (32, 32)]


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("size", SIZES)
def test_boxes_come_back_to_the_pictures_pixels(how, size):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 0.5, (20, 2)) * size[::-1]
    boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.5, (20, 2)) * size[::-1]], 1)
    for height, width in INPUTS:
        fitted = fit_picture(np.zeros((*size, 3), np.uint8), height, width, how)
        assert fitted.pixels.shape == (height, width, 3) and fitted.pixels.dtype == np.uint8
        placed = fitted.place(boxes)
        assert (placed >= -1e-9).all() and (placed <= [width, height, width, height] + np.full(4, 1e-9)).all()
        np.testing.assert_allclose(fitted.restore(placed), boxes, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("size", "target"), [((480, 640), (256, 256)), ((300, 200), (96, 320)), ((40, 60), (320, 96))])
def test_letterbox_keeps_the_shape_and_is_grey_beside_it(size, target):
    fitted = fit_picture(np.full((*size, 3), 255, np.uint8), *target, "letterbox")
    inside = (fitted.pixels == 255).all(-1)
    rows, cols = inside.any(1).sum(), inside.any(0).sum()
    assert (rows == target[0]) or (cols == target[1]), "as large as fits"
    assert abs(rows / cols - size[0] / size[1]) < 0.02
    assert (fitted.pixels[~inside] == GREY).all() and inside.sum() == rows * cols
    assert abs(fitted.top - (target[0] - rows) / 2) <= 0.5 and abs(fitted.left - (target[1] - cols) / 2) <= 0.5
    assert fit_picture(np.full((*size, 3), 255, np.uint8), *target).pixels.min() == 255, "stretching fills the input"


def test_scale_and_names():
    assert fit_scale((100, 50), (200, 200), "letterbox") == (2, 2) and fit_scale((100, 50), (200, 200)) == (2, 4)
    with pytest.raises(UserError, match="the graph's meta.fit .* must be stretch or letterbox"):
        checked_fit(["letterbox"], "the graph's meta.fit")

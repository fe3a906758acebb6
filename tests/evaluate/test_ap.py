# SPDX-License-Identifier: Apache-2.0
"""AP50 on cases worked out by hand."""

import numpy as np
import pytest

from codesign.decode import Detections
from codesign.evaluate.ap import Truth, ap50, average_precision, iou


def truth(*boxes: tuple, labels: list | None = None, difficult: list | None = None) -> Truth:
    n = len(boxes)
    return Truth(np.array(boxes, float).reshape(-1, 4), np.array(labels or [0] * n), np.array(difficult or [False] * n))


def found(*rows: tuple) -> Detections:
    """Rows (box, score, label)."""
    return Detections(np.array([r[0] for r in rows], float).reshape(-1, 4), np.array([r[1] for r in rows], float),
                      np.array([r[2] for r in rows], int))  # fmt: skip


A, B, FAR = (0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60)


def test_iou() -> None:
    assert iou(np.array([A, (5, 0, 15, 10), FAR], float), np.array(A, float)).tolist() == [1, 50 / 150, 0]


def test_area_and_eleven_points_by_hand() -> None:
    hits = np.array([True, False, True])  # precision 1, 1/2, 2/3; recall 1/2, 1/2, 1
    assert average_precision(hits, 2) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision(hits, 2, eleven_point=True) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_perfect_and_empty() -> None:
    assert ap50([found((A, 0.9, 0), (B, 0.8, 0))], [truth(A, B)], 1).mean == 1
    assert ap50([found()], [truth(A)], 1).mean == 0
    assert np.isnan(ap50([found()], [truth()], 1).mean)


def test_second_detection_of_a_box_is_false() -> None:
    got = ap50([found((A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 0))], [truth(A, B)], 1).mean
    assert got == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_wrong_class_and_wrong_image_do_not_count() -> None:
    result = ap50([found((A, 0.9, 1)), found((A, 0.8, 0))], [truth(A), truth(B, labels=[1])], 2)
    assert result.per_class == (0.0, 0.0)


def test_difficult_boxes_are_neither_found_nor_missed() -> None:
    got = ap50([found((A, 0.9, 0), (B, 0.5, 0))], [truth(A, B, difficult=[True, False])], 1)
    assert got.mean == 1
    missed = ap50([found((B, 0.5, 0))], [truth(A, B, difficult=[True, False])], 1)
    assert missed.mean == 1


def test_iou_exactly_at_the_threshold_counts() -> None:
    assert ap50([found(((0, 0, 10, 5), 0.9, 0))], [truth(A)], 1).mean == 1


def test_absent_classes_do_not_enter_the_mean() -> None:
    result = ap50([found((A, 0.9, 0))], [truth(A)], 3)
    assert result.mean == 1 and np.isnan(result.per_class[1])

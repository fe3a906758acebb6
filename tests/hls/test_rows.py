# SPDX-License-Identifier: Apache-2.0
"""The ring of rows is large enough for every geometry, and no larger: by exhaustion."""

from __future__ import annotations

import pytest

from hw.hls.config import constants, struct
from hw.hls.rows import PAIRS, SQUARE, deform_rows, reads_old_rows, window_rows

HEIGHTS = (*range(1, 13), 15, 16, 17, 31, 40)


@pytest.mark.parametrize("form", [SQUARE, PAIRS])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_rows_of_deformable_kernels(form: str, kernel: int) -> None:
    for height in HEIGHTS:
        for bound in range(10):
            rows = deform_rows(height, kernel, form, bound)
            assert not reads_old_rows(rows, rows.ring), rows
            if rows.ring < height:  # where the image is taller, one row less loses a row that a tap at its bound reads
                assert reads_old_rows(rows, rows.ring - 1), rows


def test_rows_of_windows() -> None:
    for height in HEIGHTS:
        for kernel in range(1, 6):
            for pad in range(kernel):
                for stride in range(1, 5):
                    if height + 2 * pad >= kernel:
                        rows = window_rows(height, kernel, stride, pad)
                        assert not reads_old_rows(rows, rows.ring), rows


def test_range_7_takes_16_rows_where_the_published_buffer_has_15() -> None:
    rows = deform_rows(64, 3, SQUARE, 7)
    assert rows.ring == 2 * 7 + 2
    assert reads_old_rows(rows, 15) and not reads_old_rows(rows, 16)
    assert not reads_old_rows(deform_rows(64, 3, SQUARE, 6), 15)


@pytest.mark.parametrize("wrong", [(5, 3, 1, 3), (1, 5, 1, 1), (4, 3, 0, 1)])
def test_windows_without_a_ring_are_refused(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="pad"):
        window_rows(*wrong)


def test_configuration_names_every_constant_of_the_loops() -> None:
    attributes = {"in_height": 9, "in_width": 7, "n_chan": 4, "kernel_height": 3, "kernel_width": 3, "form": SQUARE, "bound": 2}
    values = constants(attributes)
    assert (values["rows"], values["steps"], values["above"], values["below"]) == (6, 12, 2, 2)
    assert "static const unsigned rows = 6;" in struct("config1", attributes)

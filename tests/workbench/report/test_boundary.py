"""Boundary band and errors against a slow loop that follows their definition."""

import numpy as np
import pytest

from dysample.workbench.report.boundary import boundary_band, boundary_errors, densest_window


def slow_band(label, radius):
    H, W = label.shape
    band = np.zeros((H, W), bool)
    for y in range(H):
        for x in range(W):
            near = [
                label[v, u]
                for v in range(max(0, y - radius), min(H, y + radius + 1))
                for u in range(max(0, x - radius), min(W, x + radius + 1))
            ]
            band[y, x] = label[y, x] != 255 and any(n not in (255, label[y, x]) for n in near)
    return band


@pytest.mark.parametrize("shape", [(9, 13), (1, 7), (2, 1)])
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_band_is_the_slow_one(shape, radius):
    rng = np.random.default_rng(0)
    label = rng.choice(np.array([0, 0, 0, 0, 0, 1, 255], np.uint8), shape)
    np.testing.assert_array_equal(boundary_band(label, radius), slow_band(label, radius))


def test_errors_count_in_the_band_only():
    label = np.zeros((8, 8), np.uint8)
    label[:, 4:] = 1
    label[0] = 255
    prediction = label.copy()
    prediction[2, 3] = 1  # at the boundary
    prediction[2, 0] = 1  # wrong, but far away from it
    prediction[0] = 1  # ignored
    wrong, band = boundary_errors(label, prediction)
    assert np.argwhere(wrong).tolist() == [[2, 3]]
    assert band.sum() == 7 * 4


def test_densest_window():
    mask = np.zeros((20, 30), bool)
    mask[12:15, 20:24] = True
    top, left = densest_window(mask, 5, 6)
    assert mask[top : top + 5, left : left + 6].sum() == 12
    assert densest_window(mask, 50, 50) == (0, 0)

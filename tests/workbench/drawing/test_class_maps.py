"""Errors near boundaries, and the window that holds the most of them."""

import numpy as np

from dysample.workbench.drawing.class_maps import boundary_errors, densest_window


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

"""The boundary band against a slow loop that follows its definition."""

import numpy as np
import pytest
import torch

from dysample.workbench.metrics.boundary import IGNORE, boundary_band


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
    classes = torch.from_numpy(np.stack([label, label[::-1].copy()]))
    band = boundary_band(classes, classes != IGNORE, radius).numpy()
    np.testing.assert_array_equal(band[0], slow_band(label, radius))
    np.testing.assert_array_equal(band[1], slow_band(label[::-1], radius))


def test_band_by_hand() -> None:
    classes = torch.tensor([[[0, 0, 0, 1, 9, 1]]])
    valid = classes != 9
    # The image's edge and the pixel that is not valid make no boundary.
    assert boundary_band(classes, valid, 1)[0].int().tolist() == [[0, 0, 1, 1, 0, 0]]
    assert boundary_band(classes, valid, 2)[0].int().tolist() == [[0, 1, 1, 1, 0, 0]]

from __future__ import annotations

import numpy as np
import torch

from dysample.workbench.look.features import fit_basis


def test_colours_are_the_principal_components() -> None:
    directions = torch.linalg.qr(torch.randn(8, 8))[0][:, :3].double()
    along = torch.randn(20, 30, 3).double() * torch.tensor([4.0, 2.0, 1.0]).double()
    features = (along @ directions.T).movedim(-1, 0) + 5
    basis = fit_basis(features)
    assert basis.explained > 0.999
    rgb = basis.colours(features)
    assert rgb.shape == (20, 30, 3)
    for k in range(3):
        order = np.corrcoef(rgb[..., k].ravel(), along[..., k].numpy().ravel())[0, 1]
        assert abs(order) > 0.95


def test_one_basis_gives_equal_features_equal_colours() -> None:
    features = torch.randn(8, 6, 7)
    basis = fit_basis(features)
    part = features[:, 2:4, 3:5]
    np.testing.assert_array_equal(basis.colours(part), basis.colours(features)[2:4, 3:5])


def test_constant_maps_and_few_channels() -> None:
    assert np.isfinite(fit_basis(torch.ones(8, 4, 4)).colours(torch.ones(8, 4, 4))).all()
    for channels in (1, 2):
        features = torch.randn(channels, 5, 5)
        rgb = fit_basis(features).colours(features)
        assert rgb.shape == (5, 5, 3)
        assert np.ptp(rgb[..., 0]) > 0.5
        assert np.ptp(rgb[..., 2]) == 0

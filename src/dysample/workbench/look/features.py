"""Show features as colours: three principal components, one basis for all maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CUT = 0.02
"""Share of the pixels at either end of a component that get its least or its full brightness."""


@dataclass(frozen=True)
class Basis:
    """Three directions in feature space, and the range along each that becomes 0..1.

    Attributes:
        mean: (C,).
        directions: (C, 3).
        low: (3,).
        high: (3,).
        explained: share of the variance that lies along the three.
    """

    mean: Tensor
    directions: Tensor
    low: Tensor
    high: Tensor
    explained: float

    def colours(self, features: Tensor) -> NDArray[np.float64]:
        """Return features (C, H, W) as RGB (H, W, 3) in 0..1."""
        along = (features.double().movedim(0, -1) - self.mean) @ self.directions
        rgb = (along - self.low) / (self.high - self.low).clamp(min=1e-12)
        return rgb.clamp(0, 1).numpy()


def fit_basis(features: Tensor) -> Basis:
    """Fit the basis of a map (C, H, W); with fewer than three channels the rest is grey."""
    flat = features.double().flatten(1).T
    mean = flat.mean(0)
    centred = flat - mean
    variances, axes = torch.linalg.eigh(centred.T @ centred)
    directions = axes.flip(1)[:, :3]
    if directions.shape[1] < 3:
        empty = directions.new_zeros(len(directions), 3 - directions.shape[1])
        directions = torch.cat((directions, empty), dim=1)
    # An eigenvector's sign is arbitrary: its largest entry is made positive.
    largest = directions.abs().argmax(0, keepdim=True)
    sign = directions.gather(0, largest).sign()
    directions = directions * torch.where(sign == 0, 1, sign)
    along = centred @ directions
    total = float(variances.clamp(min=0).sum())
    explained = float(variances.clamp(min=0).flip(0)[:3].sum()) / total if total else 1.0
    low, high = along.quantile(CUT, dim=0), along.quantile(1 - CUT, dim=0)
    return Basis(mean, directions, low, high, explained)

"""Depth metrics."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

NEAREST = 1e-3
"""Metres; predictions are taken to be at least this far away, as they are divided by and logged."""


class DepthErrors(Metric):
    """The eight usual numbers of an image, averaged over images.

    `delta1`, `delta2`, `delta3`: share of pixels whose ratio to the truth, whichever way is
    above 1, stays below 1.25, its square, its cube. `abs_rel`, `sq_rel`: mean of |d - t| / t and
    (d - t)^2 / t. `rmse`, `rmse_log`: root mean square of d - t, in metres, and of their natural
    logarithms. `log10`: mean of |log10 d - log10 t|. Pixels of unknown depth, 0, are left out,
    and so are images without any other.

    Eigen, Puhrsch, Fergus: Depth map prediction from a single image, NeurIPS 2014.
    """

    NAMES = ("delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10")

    errors: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        # Not sums: the order of addition would depend on the world size.
        self.add_state("errors", [], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        """Add images: both (B, H, W), metres; a truth of 0 is unknown."""
        rows = [truth.new_zeros(0, len(self.NAMES), dtype=torch.float64)]
        for one, other in zip(prediction, truth):
            known = other > 0
            if known.any():
                found = _errors(one[known].double().clamp(min=NEAREST), other[known].double())
                rows.append(found[None])
        self.errors.append(torch.cat(rows))

    def compute(self) -> dict[str, Any]:
        """Return the metrics by name; NaN without any image."""
        return dict(zip(self.NAMES, dim_zero_cat(self.errors).mean(dim=0)))


def _errors(d: Tensor, t: Tensor) -> Tensor:
    """Return the eight metrics for depths (N,)."""
    ratio = torch.maximum(d / t, t / d)
    difference, logs = d - t, d.log() - t.log()
    return torch.stack(
        [
            *((ratio < 1.25**power).double().mean() for power in (1, 2, 3)),
            (difference.abs() / t).mean(),
            (difference**2 / t).mean(),
            (difference**2).mean().sqrt(),
            (logs**2).mean().sqrt(),
            (d.log10() - t.log10()).abs().mean(),
        ]
    )

"""Class maps: the pixels of no class, and those near a boundary between classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 255
"""The label of pixels that belong to no class: neither trained on nor evaluated."""


def boundary_band(classes: Tensor, valid: Tensor, distance: int) -> Tensor:
    """The pixels with a pixel of another class at most `distance` rows and columns away.

    Pixels that are not valid, and those outside the image, are neither in the band nor the cause
    of one.

    Args:
        classes: (B, H, W) integers; any value where not valid.
        valid: (B, H, W) bool.
        distance: width of the band in pixels.

    Returns:
        (B, H, W) bool.
    """

    def largest(values: Tensor) -> Tensor:
        """In the window around each pixel; what is not valid, or outside, never is."""
        values = values.where(valid, -torch.inf)
        return F.max_pool2d(values, 2 * distance + 1, stride=1, padding=distance)

    numbers = classes.float()  # exact below 2**24
    differs = (largest(numbers) > numbers) | (largest(-numbers) > -numbers)
    return differs & valid

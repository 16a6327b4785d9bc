"""Parameters and multiply-adds of a model."""

import torch
from torch import nn

from dysample.workbench.costs.count import count_macs, count_parameters
from dysample.workbench.models.build import find_upsamplers


def model_parameters(model: nn.Module) -> dict[str, int]:
    """Parameters of the whole model and of its upsamplers."""
    return {
        "total": count_parameters(model),
        "upsamplers": count_parameters(*find_upsamplers(model)),
    }


def model_macs(model: nn.Module, height: int, width: int) -> dict[str, int]:
    """Multiply-adds for one image of `height` x `width`, in the whole model and its upsamplers.

    See `count_macs`; a final resize of scores is not counted. Of detectors only the backbone is
    counted, encoder and feature pyramid: what their heads do depends on how many boxes they find.
    """
    counted = getattr(model, "backbone", model)
    return count_macs(counted, torch.zeros(1, 3, height, width))._asdict()

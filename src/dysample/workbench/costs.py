"""What a model costs: parameters and multiply-adds."""

import torch
from torch import nn

from dysample import costs
from dysample.workbench.models.build import find_upsamplers


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Parameters of the whole model and of its upsamplers."""
    return {
        "total": costs.count_parameters(model),
        "upsamplers": costs.count_parameters(*find_upsamplers(model)),
    }


def count_macs(model: nn.Module, height: int, width: int) -> dict[str, int]:
    """Multiply-adds for one image of `height` x `width`, in the whole model and its upsamplers.

    See `dysample.costs.count_macs`; a final resize of scores is not counted. Of detectors only the
    backbone is counted, encoder and feature pyramid: what their heads do depends on how many boxes
    they find.
    """
    counted = getattr(model, "backbone", model)
    return costs.count_macs(counted, torch.zeros(1, 3, height, width))._asdict()

"""What a model costs: parameters and multiply-adds."""

import torch

from dysample import costs
from dysample.workbench.models.segformer_head import Segmenter


def count_parameters(model: Segmenter) -> dict[str, int]:
    """Parameters of the whole model and of its upsamplers."""
    return {
        "total": costs.count_parameters(model),
        "upsamplers": costs.count_parameters(*model.upsamplers()),
    }


def count_macs(model: Segmenter, height: int, width: int) -> dict[str, int]:
    """Multiply-adds for one image of `height` x `width`, in the whole model and its upsamplers.

    See `dysample.costs.count_macs`; the final resize of the scores is not counted.
    """
    return costs.count_macs(model, torch.zeros(1, 3, height, width))._asdict()

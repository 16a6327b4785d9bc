"""What a model costs: parameters and multiply-adds."""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dysample.workbench.models.segformer_head import Segmenter


def count_parameters(model: Segmenter) -> dict[str, int]:
    """Parameters of the whole model and of its upsamplers."""
    return {
        "total": _parameters(model),
        "upsamplers": sum(_parameters(up) for up in model.upsamplers()),
    }


def count_macs(model: Segmenter, height: int, width: int) -> dict[str, int]:
    """Multiply-adds for one image of `height` x `width`, in the whole model and its upsamplers.

    Convolutions are counted by torch's flop counter; it does not know what sampling and
    reassembly cost, so what it counts inside upsamplers is replaced by their own `macs` at the
    sizes that reach them. The final resize of the scores is not counted.
    """
    counter = FlopCounterMode(display=False)
    entered = inside = own = 0

    def enter(up: Any, inputs: tuple[Any, ...]) -> None:
        nonlocal entered, own
        entered = counter.get_total_flops()
        own += up.macs(*inputs[0].shape[-2:])

    def leave(up: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal inside
        inside += counter.get_total_flops() - entered

    hooks = []
    for up in model.upsamplers():
        hooks += [up.register_forward_pre_hook(enter), up.register_forward_hook(leave)]
    training = model.training
    model.eval()  # one image would disturb the statistics of batch normalisation
    try:
        with torch.no_grad(), counter:
            model(torch.zeros(1, 3, height, width))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    # The counter counts a multiply-add as two operations.
    return {"total": (counter.get_total_flops() - inside) // 2 + own, "upsamplers": own}


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())

"""Optimiser groups with a separate learning rate for upsamplers."""

from __future__ import annotations

from typing import Any

from torch import nn

from dysample.nn import Upsampler
from dysample.numeric import check_number


def parameter_groups(
    model: nn.Module,
    lr: float,
    *,
    upsampler_lr_scale: float = 0.1,
    weight_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser, with a smaller rate for the upsamplers.

    At the rate that suits the rest of a model, offsets and kernels may drift so far that the model
    gets worse than with bilinear interpolation.

    >>> import torch, dysample
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), dysample.DySample(8))
    >>> optimizer = torch.optim.AdamW(dysample.parameter_groups(model, lr=1e-3))
    >>> [(group["name"], group["lr"]) for group in optimizer.param_groups]
    [('model', 0.001), ('upsamplers', 0.0001)]

    Args:
        model: any module that holds upsamplers of this package.
        lr: learning rate of everything else.
        upsampler_lr_scale: learning rate of the upsamplers over `lr`.
        weight_decay: of both groups; the optimiser's own if not given.

    Returns:
        The groups "model" and "upsamplers". Each parameter that is trained is in one of them, and a
        group without any is left out. A parameter that an upsampler shares with other modules
        counts as the upsampler's. Schedules that set rates, such as `OneCycleLR`, need one for
        each group: ``[group["lr"] for group in groups]``.

    Raises:
        TypeError, ValueError: a model without upsamplers or without parameters that are trained;
            a rate or scale that is not positive; a negative decay.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a module, not {type(model).__name__}")
    lr = check_number("lr", lr)
    scale = check_number("upsampler_lr_scale", upsampler_lr_scale)
    upsamplers = [module for module in model.modules() if isinstance(module, Upsampler)]
    if not upsamplers:
        raise ValueError("`model` must hold upsamplers of dysample, but holds none")
    own = {id(parameter) for up in upsamplers for parameter in up.parameters()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("`model` must have parameters that are trained, but has none")
    shared: dict[str, Any] = {}
    if weight_decay is not None:
        shared["weight_decay"] = check_number("weight_decay", weight_decay, zero=True)
    groups = [
        {"name": "model", "params": [p for p in trained if id(p) not in own], "lr": lr},
        {"name": "upsamplers", "params": [p for p in trained if id(p) in own], "lr": lr * scale},
    ]
    return [{**group, **shared} for group in groups if group["params"]]

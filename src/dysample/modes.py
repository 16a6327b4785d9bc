"""Models looked at as they are in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients within; then each module is in the mode that it was in.

    A single example would disturb what batch norms have gathered, and not every module of a model
    in training need be in training mode: frozen ones stay in eval mode.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training

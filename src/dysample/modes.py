"""Run models in eval mode without changing them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Set eval mode without gradients, and restore each module's own mode on exit.

    A single example in training mode would change the running statistics of batch norms. Modes are
    restored one by one because frozen modules of a training model may be in eval mode.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training

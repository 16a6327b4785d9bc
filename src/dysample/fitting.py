"""Build a module for an untrusted state dict, with its sizes checked first."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from dysample.layout import format_of


def build_for(build: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """Build a module and load a state into it, dtypes of the state included.

    The module is first built on the meta device, which has shapes and no memory: if its sizes
    differ from the state's, it is refused before it takes any.

    Args:
        build: makes the module; called twice.
        state: of the module, by name.

    Raises:
        RuntimeError: the state is not one of that module.
        Exception: whatever `build` raises.
    """
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weights that `build` copies into it are lost
        sketch = build()
        sketch.load_state_dict(
            {name: value.to("meta") for name, value in state.items()}, assign=True
        )
    module = build()
    own = module.state_dict()
    module.load_state_dict(
        {  # files know no channels_last
            name: value.contiguous(memory_format=format_of(own[name]))
            if name in own and value.dim() == own[name].dim() == 4
            else value
            for name, value in state.items()
        },
        assign=True,
    )
    return module

"""Export weights under the names of the published code."""

from __future__ import annotations

from torch import Tensor, nn

from dysample.nn.dysample import DySample, init_pos


def published_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of a model in the form that the published DySample, or spandrel, loads.

    It is `model.state_dict()` and, for each `DySample` in it, the buffer `init_pos`, which that
    code stores and asks for. All other names and shapes already are the published ones.

    Args:
        model: a `DySample`, or any module that holds some.

    Raises:
        ValueError: a DySample has options that the published code does not, so it would give other
            results there.
    """
    state = dict(model.state_dict())
    for path, module in model.named_modules(remove_duplicate=False):
        if not isinstance(module, DySample):
            continue
        name = f"{path}." if path else ""
        for argument, value, rule in (
            ("scope_factor", module.scope_factor, 0.25),
            ("scale_factor", module.scale_factor, module.ceil_scale),
        ):
            if value != rule:
                raise ValueError(f"`{name}{argument}` (={value}) must be {rule} in published code")
        if not isinstance(module.project, nn.Identity):
            raise ValueError(
                f"`{name}out_channels` (={module.out_channels}) must be made by"
                " end_convolution=True, or equal in_channels, in published code"
            )
        like = next(module.parameters())
        state[f"{name}init_pos"] = init_pos(module).to(like.device, like.dtype)
    return state

"""What the testers of the whole family share: names, lively modules, features and guides."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

import dysample
from dysample import create_upsampler, list_upsamplers
from dysample.geometry import scaled_size
from support.tolerances import BACKENDS

C = 32  # what the group norms of A2U and SAPA-B need
NAMES, GUIDED = list_upsamplers(), list_upsamplers(guided=True)
# None of their primitives has kernels: a backend changes nothing.
PLAIN = ("nearest", "bilinear", "deconv", "pixel_shuffle")
each_name = pytest.mark.parametrize("name", NAMES)
each_guided = pytest.mark.parametrize("name", GUIDED)


def each_name_but(reasons: dict[str, str]) -> pytest.MarkDecorator:
    """Every name but those that the property is not meant to hold for, each with its reason."""
    assert set(reasons) <= set(NAMES)
    return pytest.mark.parametrize("name", [name for name in NAMES if name not in reasons])


def on_each_backend(
    names: Iterable[str], *, slow_in_plain_torch: bool = False
) -> pytest.MarkDecorator:
    """Each name in plain torch, and on the kernels where it has some."""
    cases = []
    for name in names:
        backends = BACKENDS if name not in PLAIN else ["eager"]
        for backend in backends:
            slow = slow_in_plain_torch and backend != backends[-1]
            cases.append(
                pytest.param(
                    name,
                    backend,
                    marks=pytest.mark.slow if slow else (),
                    id=name if name in PLAIN else f"{name}-{backend}",
                )
            )
    return pytest.mark.parametrize(("name", "backend"), cases, indirect=["backend"])


def lively(name: str, scale_factor: float = 2, **options) -> dysample.Upsampler:
    """An upsampler in float64 whose weights are far from their calm start.

    In eval mode: IndexNet's batch norm would mix the images of a batch.
    """
    module = create_upsampler(name, C, scale_factor, **options).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return module


def features(batch: int = 2, height: int = 5, width: int = 7) -> Tensor:
    return torch.randn(batch, C, height, width, dtype=torch.float64)


def guide_for(
    up: dysample.Upsampler, x: Tensor, size: tuple[int, int] | None = None
) -> Tensor | None:
    """A guide of that size (that of scale_factor if None) for guided upsamplers, else nothing."""
    if not up.guided:
        return None
    size = size or scaled_size(*x.shape[-2:], up.scale_factor)
    return torch.randn(x.shape[0], up.guide_channels, *size, dtype=torch.float64).to(x.dtype)

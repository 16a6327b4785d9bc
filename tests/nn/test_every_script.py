"""TorchScript: every upsampler, alone and in a model, traced or scripted, for any size."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dysample
from support.upsamplers import C, each_name, features, guide_for, lively

# What torch says of TorchScript's future differs by release, in category too.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:.*torch.jit.*deprecated:{kind}")
    for kind in ("DeprecationWarning", "FutureWarning")
]
SIZES = ((2, 5, 7), (1, 9, 6), (3, 1, 4))


def inputs(up: dysample.Upsampler, batch: int, height: int, width: int) -> list[Tensor]:
    x = features(batch, height, width).float()
    guide = guide_for(up, x)
    return [x] if guide is None else [x, guide]


def close(found: Tensor, expected: Tensor) -> None:
    # Positions of the traced graph go through grid_sample's coordinates, in float32.
    peak = float(expected.detach().abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * peak)


@each_name
def test_scripted_alone(name: str) -> None:
    up = lively(name).float()
    scripted = torch.jit.script(up)
    for shape in SIZES:
        given = inputs(up, *shape)
        close(scripted(*given), up(*given))


@pytest.mark.parametrize("scale_factor", [1.5, 1.3, 3])
@pytest.mark.parametrize("name", ["dysample", "dysample_plus", "carafe", "bilinear", "sapa_b"])
def test_scripted_at_other_scales(name: str, scale_factor: float) -> None:
    up = lively(name, scale_factor).float()
    scripted = torch.jit.script(up)
    for shape in SIZES:
        given = inputs(up, *shape)
        close(scripted(*given), up(*given))


class Head(nn.Module):
    """Scripts: it calls its upsamplers as a published one is called."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.guided = lively("dysample").float(), lively("carafe").float()
        self.last = lively("fade").float()

    def forward(self, x: Tensor, fine: Tensor) -> Tensor:
        return self.last(self.guided(self.up(x)), fine)


def test_in_a_scripted_model(tmp_path: Path) -> None:
    head, x, fine = Head(), torch.randn(2, C, 3, 4), torch.randn(2, C, 24, 32)
    expected = head(x, fine)
    scripted = torch.jit.script(
        copy.deepcopy(head)
    )  # torch exchanges the parts of what it is given
    close(scripted(x, fine), expected)
    # In a process that does not know this package, as in C++.
    scripted.save(tmp_path / "head.pt")
    torch.save((x, fine), tmp_path / "given.pt")
    code = (
        "import sys, torch\n"
        f"head = torch.jit.load({str(tmp_path / 'head.pt')!r})\n"
        f"out = head(*torch.load({str(tmp_path / 'given.pt')!r}))\n"
        f"torch.save(out.detach(), {str(tmp_path / 'out.pt')!r})\n"
        "assert 'dysample' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    close(torch.load(tmp_path / "out.pt"), expected)


def test_a_scripted_upsampler_learns() -> None:
    up = lively("dysample_plus").float()
    scripted, x = torch.jit.script(up), features().float()
    scripted(x).square().sum().backward()
    found = up.offset.weight.grad.clone()  # parameters are shared
    up.zero_grad()
    up(x).square().sum().backward()
    close(found, up.offset.weight.grad)


class Sized(nn.Module):
    """A size of its own, which TorchScript does not compile and a trace records."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        self.up = up

    def forward(self, x: Tensor, fine: Tensor) -> Tensor:
        return fine + self.up(x, size=fine.shape[-2:])


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", ["dysample", "dysample_s_plus", "carafe", "nearest"])
def test_traced_with_a_size(name: str) -> None:
    model = Sized(lively(name).float())
    # Twice as large in the example alone.
    traced = torch.jit.trace(model, (torch.randn(2, C, 4, 5), torch.randn(2, C, 8, 10)))
    for size in ((11, 7), (4, 5), (8, 10)):
        given = torch.randn(3, C, 4, 5), torch.randn(3, C, *size)
        close(traced(*given), model(*given))

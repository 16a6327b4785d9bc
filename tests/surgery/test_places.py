"""Calls of one line are told apart by their mode and their order; what is left is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.surgery import replace_upsamplers
from support.surgery_net import IMAGES, Small, lively, sizes_of


class OtherModeOnOneLine(Small):
    """Larger maps take another call that stands on the same line."""

    def step(self, x: Tensor) -> Tensor:
        mode = "nearest" if x.shape[-1] > 16 else "bilinear"
        return F.interpolate(x, scale_factor=2, mode=mode)


@pytest.mark.parametrize("backend", [None, "aot_eager"])
def test_another_mode_is_another_call(backend: str | None, fresh_dynamo) -> None:
    model = OtherModeOnOneLine()
    new, _ = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    run = new if backend is None else torch.compile(new, fullgraph=True, backend=backend)
    large = torch.rand(1, 3, 20, 20)
    torch.testing.assert_close(run(IMAGES), model(IMAGES), rtol=0, atol=1e-5)
    lively(new)
    assert not torch.allclose(run(IMAGES), model(IMAGES), atol=1e-4)
    assert torch.equal(run(large), model(large))


class TwoModes(nn.Module):
    """One module resizes in two modes, at one line."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 8, 1), Block()

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.block(self.stem(x), "nearest"), "bilinear")


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor, mode: str) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode=mode))


def test_one_line_in_two_modes_is_two_steps() -> None:
    model = TwoModes()
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    modes = [(d.site.name, d.site.mode, d.unchanged) for d in report.decisions]
    assert modes == [("block:0", "nearest", False), ("block:1", "bilinear", True)]
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES, where="block:1")
    assert report.unchanged
    torch.testing.assert_close(new(IMAGES), model(IMAGES), rtol=0, atol=1e-5)
    sizes = sizes_of(new.block.upsamplers["1"])
    new(IMAGES)
    assert sizes == [32]


class OtherModeInTraining(Small):
    def step(self, x: Tensor) -> Tensor:
        mode = "bilinear" if self.training else "nearest"
        return F.interpolate(x, scale_factor=2, mode=mode)


class OneMoreInTraining(Small):
    """The call that comes first on its line in training is another one."""

    def step(self, x: Tensor) -> Tensor:
        extra = [x.relu()] if self.training else []
        return sum(F.interpolate(y, scale_factor=2, mode="bilinear") for y in [*extra, x])


class OneMoreInASecondRun(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.rows = nn.Conv2d(3, 8, 1), Rows()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.rows([x]) + self.rows([x.relu(), x])


class Rows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.conv(sum(F.interpolate(x, scale_factor=2, mode="bilinear") for x in maps))


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (OtherModeInTraining, r":0: in training mode it runs in other ways, at test_places.py:\d+"),
        (OneMoreInTraining, r":0: test_places.py:\d+ runs 1 or 2 times in a run of its module: wh"),
        (OneMoreInASecondRun, r"rows:0, rows:1: test_places.py:\d+ runs 1 or 2 times in a run of"),
    ],
)
def test_calls_of_one_line_that_cannot_be_told_apart(kind: type, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        replace_upsamplers(kind(), "dysample", example_inputs=IMAGES)


class Each(nn.Module):
    """One line in a loop over images."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        maps = [F.interpolate(one[None], scale_factor=2, mode="bilinear") for one in x]
        return self.head(torch.cat(maps))


@pytest.mark.parametrize("backend", [None, "eager"])
def test_calls_of_one_line_that_are_more_or_fewer_than_on_the_example(
    backend, fresh_dynamo
) -> None:
    """Their order is all that tells them apart."""
    new, report = replace_upsamplers(Each(), "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == [":0", ":1"]
    run = new if backend is None else torch.compile(new, backend=backend)
    assert run(IMAGES).shape == (2, 2, 32, 32)
    for images in (IMAGES[:1], torch.cat((IMAGES, IMAGES))):
        with pytest.raises(
            ValueError,
            match=rf"test_places.py:\d+ must run 2 times in a run of Each \(={len(images)}\)",
        ):
            run(images)

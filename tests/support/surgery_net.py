"""A small model with steps of each kind."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dysample


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.conv(x + skip)


class Net(nn.Module):
    """Calls in two forwards, one inside the other, and a module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.block = Block()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.deconv = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.stem(images)
        x = self.block(self.down(fine), fine)
        x = self.up(x)
        x = self.block.conv(F.interpolate(x, scale_factor=1.5, mode="bilinear"))
        x = self.head(self.deconv(x))
        return F.interpolate(x, size=images.shape[-2:], mode="bilinear")


STEPS = ["block:0", "up", ":0"]
IMAGE = torch.rand(1, 3, 21, 26, generator=torch.Generator().manual_seed(0))


def lively(model: nn.Module) -> nn.Module:
    """Offsets that show whether the upsamplers run."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, dysample.DySample):
                module.offset.weight.normal_(std=0.3)
    return model


IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Small(nn.Module):
    """Two learned layers, and a step between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)

    def step(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear")

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.step(self.stem(x)))


def runs_of(new: nn.Module) -> dict[bool, int]:
    """How often upsamplers run in training and in eval mode."""
    ran: list[bool] = []
    for up in new.modules():
        if isinstance(up, dysample.Upsampler):
            up.register_forward_hook(lambda up, *_: ran.append(up.training))
    new.train()(IMAGES)
    new.eval()(IMAGES)
    return {training: ran.count(training) for training in (True, False)}


def sizes_of(up: nn.Module) -> list[int]:
    """Widths of the maps that an upsampler will take."""
    sizes: list[int] = []
    up.register_forward_hook(lambda up, given, out: sizes.append(given[0].shape[-1]))
    return sizes

"""A small convolutional encoder, and the colours that encoders pretrained on ImageNet expect."""

import torch
from torch import Tensor, nn

CHANNELS = (32, 64, 96, 128)
STRIDES = (2, 4, 8, 16)

# The fine stages are where the time goes: one convolution each.
_DEPTHS = (1, 1, 2, 2)


class Encoder(nn.Module):
    """Images (B, 3, H, W) to four maps of `CHANNELS` channels at strides `STRIDES`.

    Each stage halves the size (rounding up) with a 3x3 convolution; the two coarse ones add
    another. 0.42 M parameters.
    """

    channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        inputs = (3, *CHANNELS[:-1])
        self.stages = nn.ModuleList(_stage(*sizes) for sizes in zip(inputs, CHANNELS, _DEPTHS))

    def forward(self, images: Tensor) -> list[Tensor]:
        """The four maps, finest first."""
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images)
        return maps


def _stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for stride in (2, 1)[:depth]:
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        inputs = outputs
    return nn.Sequential(*layers)


# torchvision's and transformers' mean and deviation of images in 0..1.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


def imagenet_colours(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in -1..1, as the tasks give them, to mean 0 and deviation 1 on ImageNet.

    Detectors of torchvision do this themselves.
    """
    mean, deviation = (torch.tensor(v, device=images.device) for v in (_MEAN, _DEVIATION))
    return ((images + 1) / 2 - mean[:, None, None]) / deviation[:, None, None]


class ImageNetColours(nn.Module):
    """A model of normalised images, for images in -1..1."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to what the model makes of them."""
        found: Tensor = self.model(imagenet_colours(images))
        return found

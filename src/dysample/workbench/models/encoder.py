"""A small convolutional encoder with four stages."""

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

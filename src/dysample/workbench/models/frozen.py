"""An encoder that is not trained, whose features of an image are computed once in a process."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import torch
from torch import Tensor, nn

from dysample.workbench.models.efficientnet import EfficientNetEncoder
from dysample.workbench.models.encoder import Encoder

ROOM = 6 * 2**30
"""Bytes of features that a process keeps; the images that were used last stay."""


class _Features:
    """Features by digest of encoder and image, least recently used first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, list[Tensor]] = OrderedDict()
        self._size = 0

    def get(self, key: bytes) -> list[Tensor] | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, maps: list[Tensor]) -> None:
        self._kept[key] = maps
        self._size += sum(one.nbytes for one in maps)
        while self._size > ROOM:
            _, oldest = self._kept.popitem(last=False)
            self._size -= sum(one.nbytes for one in oldest)


_FEATURES = _Features()


class FrozenEncoder(nn.Module):
    """Gives the features of an encoder in eval mode, and can remember them, rounded to float16.

    An image is known by its pixels and an encoder by its weights, so that the runs of a process,
    mirror images and any order of batches share what is kept. While features are kept, they are
    computed for one image at a time and do not depend on the batch. Otherwise they are not rounded:
    what a graph of another runtime rounds differs from the model's by far more than its numbers.

    Args:
        encoder: images (B, 3, H, W) to a list of maps (B, C, H', W'), with their `channels`.
    """

    def __init__(self, encoder: Encoder | EfficientNetEncoder) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.channels = encoder.channels
        self._key: bytes | None = None

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Leave the encoder in eval mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def keep(self, kept: bool) -> None:
        """Turn the cache of features on or off; the weights must not change while it is on."""
        self._key = _digest(*self.encoder.state_dict().values()) if kept else None

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to the encoder's maps, in its order."""
        # Neither features nor what casts them depend on autocast: runs with and without it share.
        with torch.autocast(images.device.type, enabled=False):
            if self._key is None:
                maps: list[Tensor] = self.encoder(images)
                return maps
            each = zip(*(self._of_one(image[None], self._key) for image in images))
            return [torch.cat(maps).to(images.dtype) for maps in each]

    def _of_one(self, image: Tensor, key: bytes) -> list[Tensor]:
        key = _digest(image, key=key)
        maps = _FEATURES.get(key)
        if maps is None:
            maps = [one.half() for one in self.encoder(image)]
            _FEATURES.put(key, maps)
        return maps


def _digest(*tensors: Tensor, key: bytes = b"") -> bytes:
    found = hashlib.blake2b(digest_size=16, key=key)
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)} {tensor.device}".encode())
        found.update(tensor.cpu().contiguous().numpy().data)
    return found.digest()

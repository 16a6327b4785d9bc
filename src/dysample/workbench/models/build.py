"""Build models from names and seeds.

Encoder and head start from one stream of random numbers and the upsamplers from another: with the
same seed, models that differ in the upsampler are equal in everything else.
"""

from typing import Any

import torch
from torch import nn

from dysample.nn import Upsampler
from dysample.registry import create_upsampler
from dysample.workbench.models import depth_decoder, segformer_head
from dysample.workbench.models.depth_decoder import DepthDecoder, DepthEstimator
from dysample.workbench.models.efficientnet import EfficientNetEncoder
from dysample.workbench.models.encoder import Encoder
from dysample.workbench.models.frozen import FrozenEncoder
from dysample.workbench.models.segformer_head import SegFormerHead, Segmenter
from dysample.workbench.models.weights import fill, read_weights
from dysample.workbench.seeds import seeded
from dysample.workbench.settings import PRETRAINED_ENCODER, HeadSettings, Settings


def create_upsamplers(
    count: int, width: int, upsampler: str, options: dict[str, Any], seed: int
) -> list[Upsampler]:
    """Create the 2x upsamplers of a model, all of one kind.

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
    """
    with seeded(seed, "upsamplers"):
        return [create_upsampler(upsampler, width, 2, **options) for _ in range(count)]


def create_encoder(settings: Settings) -> Encoder | EfficientNetEncoder | FrozenEncoder:
    """The encoder of a small model: images in -1..1 to four maps at strides 2, 4, 8 and 16.

    Raises:
        FileNotFoundError, ValueError: weights that cannot be read, or are of another encoder.
        ModuleNotFoundError: the package of the pretrained weights is not installed.
    """
    encoder: Encoder | EfficientNetEncoder
    if settings.encoder == PRETRAINED_ENCODER:
        encoder = EfficientNetEncoder(settings.weights)
    else:
        encoder = Encoder()
        if settings.weights is not None:
            fill(encoder, read_weights(settings.weights), settings.weights)
    return FrozenEncoder(encoder) if settings.frozen else encoder


def find_upsamplers(model: nn.Module) -> list[Upsampler]:
    """Return the outermost upsamplers of a model, in the order of its modules."""
    found: list[Upsampler] = []
    for child in model.children():
        found += [child] if isinstance(child, Upsampler) else find_upsamplers(child)
    return found


def build_segmenter(
    upsampler: str, options: dict[str, Any], classes: int, settings: HeadSettings, seed: int
) -> Segmenter:
    """Encoder and SegFormer head, with six upsamplers.

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
        FileNotFoundError, ValueError, ModuleNotFoundError: as `create_encoder`.
    """
    width = settings.width
    assert width is not None
    upsamplers = create_upsamplers(segformer_head.UPSAMPLERS, width, upsampler, options, seed)
    with seeded(seed, "model"):
        encoder = create_encoder(settings)
        head = SegFormerHead(
            encoder.channels, width, classes, upsamplers, skip=settings.head == "skip"
        )
    # A quarter faster on a CPU than the default layout; the tasks' batches match it.
    return Segmenter(encoder, head).to(memory_format=torch.channels_last)


def build_depth_estimator(
    upsampler: str, options: dict[str, Any], settings: HeadSettings, seed: int
) -> DepthEstimator:
    """Encoder and depth decoder, with four upsamplers.

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
        FileNotFoundError, ValueError, ModuleNotFoundError: as `create_encoder`.
    """
    width = settings.width
    assert width is not None
    upsamplers = create_upsamplers(depth_decoder.UPSAMPLERS, width, upsampler, options, seed)
    with seeded(seed, "model"):
        encoder = create_encoder(settings)
        stem = nn.Conv2d(3, width, 3, padding=1)
        decoder = DepthDecoder(
            encoder.channels, stem, width, upsamplers, skip=settings.head == "skip"
        )
    return DepthEstimator(encoder, decoder).to(memory_format=torch.channels_last)

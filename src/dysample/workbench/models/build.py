"""A model from names and seeds."""

from typing import Any

import torch

from dysample.registry import create_upsampler
from dysample.workbench.models.encoder import CHANNELS, Encoder
from dysample.workbench.models.segformer_head import UPSAMPLERS, SegFormerHead, Segmenter
from dysample.workbench.seeds import seeded
from dysample.workbench.settings import SemanticSettings


def build_segmenter(
    upsampler: str,
    upsampler_options: dict[str, Any],
    classes: int,
    settings: SemanticSettings,
    seed: int,
) -> Segmenter:
    """The model of a run, with six upsamplers of one kind.

    Encoder and head start from one stream of random numbers and the upsamplers from another: with
    the same seed, models that differ in the upsampler are equal in everything else.

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
    """
    with seeded(seed, "upsamplers"):
        upsamplers = [
            create_upsampler(upsampler, settings.width, 2, **upsampler_options)
            for _ in range(UPSAMPLERS)
        ]
    with seeded(seed, "model"):
        encoder = Encoder()
        head = SegFormerHead(
            CHANNELS, settings.width, classes, upsamplers, skip=settings.head == "skip"
        )
    # A quarter faster on a CPU than the default layout; `SegmentationSet.batch` matches it.
    return Segmenter(encoder, head).to(memory_format=torch.channels_last)

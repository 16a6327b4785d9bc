"""The few validation frames that a record shows, encoded as text."""

import base64
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dysample.nn import Upsampler
from dysample.workbench.metrics.boundary import IGNORE, boundary_band
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.record import Sample, Sampling
from dysample.workbench.settings import LONGEST
from dysample.workbench.tasks.base import Task

SAMPLES = 3

# Fixed point of sampling positions: 1/256 pixel.
_UNIT = 256


def choose_frames(labels: Iterable[Tensor], count: int = SAMPLES) -> list[int]:
    """The frame with the most boundary pixels in its label, of each of `count` parts of the set.

    Such frames hold thin things. The parts are consecutive, as neighbours may be frames of one
    video. The choice depends on the labels alone, so that every run on a data set shows the same.

    Args:
        labels: of each frame, (H, W) uint8.
        count: of frames, at most.
    """
    lengths = [boundary_band(one[None], one[None] != IGNORE, 1).sum() for one in labels]
    every = torch.stack(lengths)
    parts = torch.arange(len(every)).tensor_split(min(count, len(every)))
    return [int(part[every[part].argmax()]) for part in parts]


@torch.no_grad()
def encode_samples(task: Task, images: Any) -> tuple[Sample, ...]:
    """Image, label, prediction and sampling positions of some frames, for a record.

    Images are JPEG, class maps PNG, positions little-endian int16 in 1/256 of a low-res pixel, all
    in base64. Positions are those of the model's last, finest upsampler, if it samples points.

    Args:
        task: trained.
        images: a data set of the task.

    Returns:
        One a frame; none for a task that predicts no class map, or images beyond `LONGEST` pixels.
    """
    if not task.predicts_classes or max(task.about["height"], task.about["width"]) > LONGEST:
        return ()
    task.eval()
    samples = []
    for frame in choose_frames(images.label(i) for i in range(len(images))):
        caught: list[Sampling | None] = []
        hook = find_upsamplers(task.model)[-1].register_forward_hook(
            lambda up, args, kwargs, out, into=caught: into.append(_sampling(up, args, kwargs)),
            with_kwargs=True,
        )
        try:
            prediction = task.predict_classes(images.batch(torch.tensor([frame])))
        finally:
            hook.remove()
        samples.append(
            Sample(
                index=frame,
                image=_picture((images.sample(frame)[0] * 255).round().permute(1, 2, 0), "JPEG"),
                label=_picture(images.label(frame), "PNG"),
                prediction=_picture(prediction[0], "PNG"),
                sampling=caught[0],
            )
        )
    return tuple(samples)


def _sampling(up: Upsampler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sampling | None:
    seen = up.inspect(*args, **kwargs)
    if seen.positions is None or seen.weights is not None:
        return None
    positions = seen.positions[0, :, 0]
    # Clamping changes nothing visible: maps are below 128 pixels, and sampling clamps at borders.
    fixed = (positions * _UNIT).round().clamp(-(2**15), 2**15 - 1).numpy().astype("<i2")
    return Sampling(
        height=args[0].shape[-2],
        width=args[0].shape[-1],
        out_height=fixed.shape[-2],
        out_width=fixed.shape[-1],
        groups=fixed.shape[0],
        positions=base64.b64encode(fixed.tobytes()).decode(),
    )


def _picture(pixels: Tensor, form: str) -> str:
    buffer = io.BytesIO()
    # Quality and full colour resolution matter to JPEG only: edges are what the figures are about.
    Image.fromarray(pixels.numpy().astype(np.uint8)).save(buffer, form, quality=95, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode()

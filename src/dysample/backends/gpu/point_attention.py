"""`point_attention` with the samples of Triton's kernels."""

from __future__ import annotations

from functools import partial

from dysample.backends import padded
from dysample.backends.gpu.point_sample import point_sample, point_sample_backward
from dysample.backends.gpu.tiles import NEAR


class Sampler(padded.KernelSampler):
    """Sample maps that are padded with zeros on Triton's kernels."""

    point_sample = staticmethod(point_sample)
    # The regular positions of a padded map are up to a pixel away from those of the map.
    point_sample_backward = staticmethod(partial(point_sample_backward, near=NEAR + 1))


point_attention = partial(padded.point_attention, sampler=Sampler)
"""See `dysample.ops.point_attention`."""

point_attention_backward = partial(padded.point_attention_backward, sampler=Sampler)
"""Return the requested gradients of x, query, key and field."""

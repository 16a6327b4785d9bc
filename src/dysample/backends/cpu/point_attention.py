"""`point_attention` with the samples of the CPU kernels."""

from __future__ import annotations

from functools import partial

from dysample.backends import padded
from dysample.backends.cpu.point_sample import point_sample, point_sample_backward


class Sampler(padded.KernelSampler):
    """Sample maps that are padded with zeros on the CPU kernels."""

    point_sample = staticmethod(point_sample)
    point_sample_backward = staticmethod(point_sample_backward)


point_attention = partial(padded.point_attention, sampler=Sampler)
"""See `dysample.ops.point_attention`."""

point_attention_backward = partial(padded.point_attention_backward, sampler=Sampler)
"""Return the requested gradients of x, query, key and field."""

"""The primitives as torch operators, one file each, and the choice of their backend."""

from dysample.ops.affinity import affinity
from dysample.ops.dispatch import Choice, backend, recorded
from dysample.ops.offset_field import offset_field
from dysample.ops.point_attention import point_attention
from dysample.ops.point_sample import point_sample
from dysample.ops.reassemble import reassemble

__all__ = [
    "Choice",
    "affinity",
    "backend",
    "offset_field",
    "point_attention",
    "point_sample",
    "reassemble",
    "recorded",
]

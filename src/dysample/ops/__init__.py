"""The primitives as torch operators, one file each, and the choice of their backend."""

from dysample.ops.dispatch import Choice, backend, recorded
from dysample.ops.offset_field import offset_field
from dysample.ops.point_sample import point_sample

__all__ = ["Choice", "backend", "offset_field", "point_sample", "recorded"]

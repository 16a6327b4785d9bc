"""What is measured: workloads and the upsamplers run on them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Workload:
    """An input.

    Attributes:
        name: short, for tables.
        shape: (B, C, H, W).
        dtype: name of a torch dtype.
        channels_last: memory format of the input.
        backward: measure the forward and the backward pass together.
    """

    name: str
    shape: tuple[int, int, int, int]
    dtype: str = "float32"
    channels_last: bool = False
    backward: bool = False


@dataclass(frozen=True)
class Entry:
    """An upsampler of the registry at scale 2, with the options that differ from its name's."""

    upsampler: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name for tables."""
        changes = "".join(f" {key}={value}" for key, value in self.options.items())
        return self.upsampler + changes


PAPER = Workload("paper", (1, 256, 120, 120))
"""The workload of the DySample paper's latency figure."""

WORKLOADS = (
    PAPER,
    Workload("paper, channels_last", PAPER.shape, channels_last=True),
    Workload("paper, bfloat16", PAPER.shape, dtype="bfloat16"),
    Workload("forward and backward", (2, 256, 64, 64), backward=True),
    Workload("small", (1, 64, 16, 16)),
)

BASELINE = Entry("bilinear")
"""Calls torch's own bilinear interpolation, so that ratios to it are ratios to nn.Upsample."""

ENTRIES = (
    Entry("nearest"),
    BASELINE,
    Entry("deconv"),
    Entry("pixel_shuffle"),
    Entry("carafe"),
    Entry("dysample"),
    Entry("dysample_plus"),
    Entry("dysample_s"),
    Entry("dysample_s_plus"),
)

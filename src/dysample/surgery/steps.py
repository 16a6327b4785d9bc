"""Records of each resize in a watched run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Kind = Literal["module", "call", "deconv", "shuffle"]


@dataclass(eq=False)
class Step:
    """One resize in a run.

    Args:
        owner: path of the module that resizes, or in whose forward `F.interpolate` is called.
        place: of that call in the code; None where the module itself is the step.
        method_of: path of the module whose method calls, which need not be the forward of `owner`.
        caller_run: which run of which module the step is part of, as a number.
        kind: as in `Site`.
        channels: C of the map (B, C, ...).
        from_size: its size.
        to_size: size of the result.
        mode: of the interpolation.
        regular: as in `Site`.
        scale_factor: of the code, if it is the same for all axes.
        dtype: of the map.
        device: of the map.
        autocast: whether autocast chooses the dtypes of layers there.
        flow: where the map comes from.
        inside_upsampler: whether it is part of an upsampler of ours.
        read: whether a learned layer reads the result.
    """

    owner: str
    place: str | None
    method_of: str | None
    caller_run: int
    kind: Kind
    channels: int
    from_size: tuple[int, ...]
    to_size: tuple[int, ...]
    mode: str
    regular: bool
    scale_factor: float | None
    dtype: torch.dtype
    device: torch.device
    autocast: bool
    flow: Flow
    inside_upsampler: bool
    read: bool = False


@dataclass(frozen=True)
class Flow:
    """The origin of a tensor.

    Args:
        learned: out of a learned layer.
        table: from parameters alone, such as position embeddings.
        pooled: from maps pooled to a fixed grid alone.
        steps: resizes whose results no learned layer has read yet.
    """

    learned: bool = False
    table: bool = False
    pooled: bool = False
    steps: frozenset[Step] = frozenset()

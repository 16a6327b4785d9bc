"""Dynamic axes of the inputs, and the same inputs at other sizes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import gcd
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

AXES = {"batch": 0, "height": 2, "width": 3}
"""Axes of maps (B, C, H, W), all tensors with 4 axes, by name."""

# Sizes in steps of a model's strides: a network that halves five times may want all of them.
_STRIDE = 32


def maps_of(args: Any) -> list[Tensor]:
    """Return the maps (B, C, H, W) among the arguments, in order."""
    return [leaf for leaf in tree_leaves(args) if is_map(leaf)]


def check_dynamic(dynamic: Any, args: Any) -> tuple[str, ...]:
    """Return the names of axes that may change, if the arguments have them.

    Raises:
        TypeError, ValueError: unknown names, or an axis too short to tell its length from a
            constant.
    """
    if isinstance(dynamic, str) or not isinstance(dynamic, Collection):
        raise TypeError(f"`dynamic` (={dynamic!r}) must be a collection of {', '.join(AXES)}")
    for name in dynamic:
        if name not in AXES:
            raise ValueError(f"`dynamic` (={dynamic!r}) must hold only {', '.join(AXES)}")
    if len(set(dynamic)) < len(dynamic):
        raise ValueError(f"`dynamic` (={dynamic!r}) must hold each axis once")
    for name in ("height", "width"):
        for x in maps_of(args) if name in dynamic else ():
            if x.shape[AXES[name]] < 2:
                raise ValueError(
                    f"`args` {name} (={x.shape[AXES[name]]}) must be at least 2 where it is"
                    " dynamic: a graph traced at 1 would be right for 1 alone"
                )
    return tuple(name for name in AXES if name in dynamic)


def check_varied(others: Sequence[Any], args: Any, dynamic: Sequence[str]) -> None:
    """Raise unless each axis that may change does so, compared with the arguments of the trace."""
    for name in dynamic:
        lengths = _lengths_of(args, name)
        if lengths and all(_lengths_of(other, name) == lengths for other in others):
            raise ValueError(
                f"`verify` must hold arguments of another {name} than {lengths[0]} below opset 18,"
                f" where sizes become constants: or leave {name} out of `dynamic`"
            )


def dynamic_shapes(args: Any, dynamic: Sequence[str]) -> Any:
    """Return the dynamic shapes of each argument for `torch.export`."""
    axes = {AXES[name]: torch.export.Dim.DYNAMIC for name in dynamic}
    return tree_map(lambda leaf: dict(axes) if axes and is_map(leaf) else None, args)


def traceable(args: Any, dynamic: Sequence[str]) -> Any:
    """Return the arguments with at least two images each: a batch traced at 1 stays 1.

    They are copies, because tracers treat a tensor that is given twice as a single input.
    """

    def doubled(leaf: Any) -> Any:
        if "batch" in dynamic and is_map(leaf) and leaf.shape[0] == 1:
            return leaf.repeat(2, 1, 1, 1)
        return leaf.clone() if isinstance(leaf, Tensor) else leaf

    return tree_map(doubled, args)


def other_sizes(args: Any, dynamic: Sequence[str]) -> list[Any]:
    """Return the arguments at two other sizes: a single image and a batch of three.

    Maps keep their proportions to each other, and lengths stay multiples of the powers of 2, up to
    32, that they are multiples of. The values are drawn from the arguments'.
    """
    if not dynamic:
        return [args]
    generator = torch.Generator().manual_seed(0)
    others = []
    for steps in ({"batch": 1, "height": 1, "width": 2}, {"batch": 3, "height": 3, "width": 1}):
        lengths = {name: _lengths(args, name, steps[name]) for name in dynamic}

        def resized(leaf: Any, lengths: dict[str, dict[int, int]] = lengths) -> Any:
            if not is_map(leaf):
                return leaf
            shape = list(leaf.shape)
            for name, of in lengths.items():
                shape[AXES[name]] = of[shape[AXES[name]]]
            return _drawn(leaf, shape, generator)

        others.append(tree_map(resized, args))
    return others


def _lengths_of(args: Any, name: str) -> list[int]:
    return [x.shape[AXES[name]] for x in maps_of(args)]


def is_map(leaf: Any) -> bool:
    """Whether a value is a tensor (B, C, H, W)."""
    return isinstance(leaf, Tensor) and leaf.dim() == 4


def _lengths(args: Any, name: str, steps: int) -> dict[int, int]:
    """Map each length of an axis to another one, in the same proportions."""
    lengths = set(_lengths_of(args, name))
    unit = gcd(*lengths)
    new = steps if name == "batch" else unit + steps * gcd(unit, _STRIDE)
    return {length: length // unit * new for length in lengths}


def _drawn(leaf: Tensor, shape: list[int], generator: torch.Generator) -> Tensor:
    """Draw a tensor of that shape from the values of `leaf`; noise if those are all the same."""
    values = leaf.detach().flatten().cpu()
    if leaf.is_floating_point() and bool((values == values[0]).all()):
        return torch.randn(shape, generator=generator).to(leaf)
    return values[torch.randint(values.numel(), shape, generator=generator)].to(leaf)

"""The registry: upsamplers by name, the papers' variants and your own."""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dysample.nn import (
    A2U,
    CARAFE,
    FADE,
    SAPA,
    SAPAI,
    Bilinear,
    Deconv,
    DySample,
    FADELite,
    IndexNet,
    Nearest,
    PixelShuffle,
    SAPADeform,
    Upsampler,
)
from dysample.origins import ORIGINS, Origin


@dataclass(frozen=True)
class Entry:
    """A registered name: its factory, options, summary and origin."""

    name: str
    factory: Callable[..., Upsampler]
    options: Mapping[str, Any] = field(default_factory=dict)
    guided: bool = False
    summary: str = ""
    origin: Origin | None = None


_ENTRIES: dict[str, Entry] = {}


def register_upsampler(
    name: str,
    factory: Callable[..., Upsampler],
    *,
    guided: bool | None = None,
    summary: str = "",
    origin: Origin | None = None,
    **options: Any,
) -> None:
    """Give an upsampler a name.

    Args:
        name: lower case, not taken yet.
        factory: called as factory(in_channels, scale_factor, **options).
        guided: whether it reads a guide; taken from the class's `guided` if not given.
        summary: one line for listings.
        origin: paper, code and licence; `dysample.origins` holds those of the built-in names.
        options: what the name stands for beyond the factory's defaults; a caller of
            `create_upsampler` may override them.

    Raises:
        TypeError: if `name` is no string, or `factory` cannot be called.
        ValueError: if the name is not lower case, or taken.
    """
    _check_str(name)
    if name != name.lower():
        raise ValueError(f"`name` (={name!r}) must be lower case")
    if not callable(factory):
        raise TypeError(f"`factory` (={factory!r}) must be callable")
    if name in _ENTRIES:
        raise ValueError(f"`name` (={name!r}) is taken by {_ENTRIES[name].factory!r}")
    if guided is None:
        guided = bool(getattr(factory, "guided", False))
    _ENTRIES[name] = Entry(name, factory, options, guided, summary, origin or ORIGINS.get(name))


def get_entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises:
        TypeError: if `name` is no string.
        ValueError: if the name is unknown; the message holds the nearest known ones.
    """
    _check_str(name)
    if name not in _ENTRIES:
        near = difflib.get_close_matches(name, _ENTRIES, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_ENTRIES)}"
        raise ValueError(f"`name` (={name!r}) must be a known upsampler: {hint}")
    return _ENTRIES[name]


def _check_str(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"`name` (={name!r}) must be a string")


def create_upsampler(
    name: str, in_channels: int, scale_factor: float = 2, **options: Any
) -> Upsampler:
    """Build an upsampler by name.

    >>> create_upsampler("dysample_s_plus", 64)
    DySample(
      64, scale_factor=2, style='pl', groups=8, dyscope=True
      (offset): Conv2d(16, 16, kernel_size=(1, 1), stride=(1, 1))
      (project): Identity()
      (scope): Conv2d(16, 16, kernel_size=(1, 1), stride=(1, 1), bias=False)
    )

    Args:
        name: one of `list_upsamplers()`.
        in_channels: C.
        scale_factor: used when a call gives no size.
        options: keyword arguments of the module; they override those of the name.

    Raises:
        ValueError: if the name is unknown, or an argument is out of its range.
        TypeError: if `name` is no string, or an option (given here or registered) does not exist.
    """
    entry = get_entry(name)
    options = {**entry.options, **options}
    accepted = inspect.signature(entry.factory).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        unknown = [option for option in options if option not in accepted]
        if unknown:
            raise TypeError(
                f"`{unknown[0]}` must be an option of {name}: {', '.join(list(accepted)[2:])}"
            )
    return entry.factory(in_channels, scale_factor, **options)


def list_upsamplers(pattern: str = "*", *, guided: bool | None = None) -> list[str]:
    """Names in order of registration.

    >>> list_upsamplers("dysample_s*", guided=False)[:2]
    ['dysample_s', 'dysample_s_plus']

    Args:
        pattern: shell-style, e.g. "dysample*".
        guided: only those that read a guide, or only those that do not.
    """
    return [
        name
        for name, entry in _ENTRIES.items()
        if fnmatch.fnmatchcase(name, pattern) and guided in (None, entry.guided)
    ]


register_upsampler("nearest", Nearest, summary="copy the nearest pixel")
register_upsampler("bilinear", Bilinear, summary="bilinear interpolation")
register_upsampler("deconv", Deconv, summary="transposed convolution, kernel 3 at scale 2")
register_upsampler("pixel_shuffle", PixelShuffle, summary="3x3 convolution and pixel shuffle")
register_upsampler("carafe", CARAFE, summary="k x k kernels predicted from the features")
register_upsampler("indexnet", IndexNet, summary="index map from the guide (HIN, 4x4 context)")
register_upsampler("a2u", A2U, summary="3x3 kernels from affinities within the guide")
register_upsampler("fade", FADE, summary="5x5 kernels from guide and features, gated")
register_upsampler("fade_lite", FADELite, summary="FADE with a depthwise kernel encoder, gated")
register_upsampler("sapa_i", SAPAI, summary="5x5 kernels: inner products of guide and features")
register_upsampler("sapa_b", SAPA, summary="5x5 kernels: inner products of embeddings (SAPA-B)")
register_upsampler(
    "sapa_g", SAPA, query="gate", norm="layer", summary="SAPA-B, query gated with x (SAPA-G)"
)
register_upsampler("sapa_d", SAPADeform, summary="SAPA over 9 predicted points, 4 groups (SAPA-D)")
register_upsampler("dysample", DySample, summary="sampling points, static scope, lp, 4 groups")
register_upsampler(
    "dysample_plus", DySample, dyscope=True, summary="dynamic scope, lp, 4 groups (DySample+)"
)
register_upsampler(
    "dysample_s", DySample, style="pl", groups=8, summary="static scope, pl, 8 groups (DySample-S)"
)
register_upsampler(
    "dysample_s_plus",
    DySample,
    style="pl",
    groups=8,
    dyscope=True,
    summary="dynamic scope, pl, 8 groups (DySample-S+)",
)
# The paper's section on the design, each step added to the one before it.
_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("naive: bare offsets from the pixel's centre", {"start": "nearest", "scope_factor": 1.0}),
    ("bilinear start", {"start": "bilinear"}),
    ("static scope factor 0.25", {"scope_factor": 0.25}),
    ("4 groups", {"groups": 4}),
    ("dynamic scope", {"dyscope": True}),
)
_options: dict[str, Any] = {"groups": 1}
for _number, (_summary, _change) in enumerate(_STEPS):
    _options = {**_options, **_change}
    register_upsampler(
        f"dysample_step_{_number}", DySample, summary=f"design step: {_summary}", **_options
    )

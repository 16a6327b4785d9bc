"""Where a model resizes maps: one run on an example, every step with its owner, sizes and mode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from dysample.geometry import scaled_size
from dysample.modes import evaluated
from dysample.surgery.reroute import UPSAMPLERS, is_rerouted
from dysample.surgery.watch import Step, Watch


@dataclass(frozen=True)
class Site:
    """One place in a model's code where a map is resized.

    Args:
        owner: path of the module that resizes, or in whose forward `F.interpolate` is called.
        call: number of that call in the forward, from 0; None where the module itself is the step.
        kind: "module" for `nn.Upsample` and its kin, "call" for `F.interpolate`, "deconv" for
            `nn.ConvTranspose2d`.
        host: class of the module, with its package.
        channels: C of the map.
        from_size: its height and width in the example run.
        to_size: those of the result.
        mode: of the interpolation; with align_corners=True "bilinear, corners".
        regular: whether output pixels lie at (Y + 1/2) * H / H' - 1/2, as ours do: not with
            align_corners=True, nor where a factor's size had to be rounded.
        scale_factor: that of the code, or the ratio of the sizes as a whole number.
        runs: how often the step ran in the example run.
        dtype: of the map.
        device: of the map.
        why_not_features: why it is no step of upsampling features; None if it is one.
        why_not_replaceable: why nothing can be put in its place; None if something can.
    """

    owner: str
    call: int | None
    kind: Literal["module", "call", "deconv"]
    host: str
    channels: int
    from_size: tuple[int, ...]
    to_size: tuple[int, ...]
    mode: str
    regular: bool
    scale_factor: float
    runs: int
    dtype: torch.dtype
    device: torch.device
    why_not_features: str | None
    why_not_replaceable: str | None

    @property
    def name(self) -> str:
        """Path of the module; of calls with their number: "decoder.fpn:2", the model's own ":0"."""
        return self.owner if self.call is None else f"{self.owner}:{self.call}"


def find_sites(model: nn.Module, example_inputs: Any) -> list[Site]:
    """Find the steps at which a model resizes maps, by running it once.

    The run is in eval mode without gradients; the model is left as it was.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1))
    >>> [site.name for site in find_sites(model, torch.zeros(1, 3, 8, 8))]
    ['1']

    Args:
        model: any module.
        example_inputs: a tensor or a list, given to the model as its only argument; a tuple of
            positional arguments; or a mapping of keyword arguments.

    Returns:
        The sites in the order in which they first ran.

    Raises:
        TypeError: if `model` is no module.
        ValueError: if it is compiled, or scripted.
    """
    check_model(model)
    with evaluated(model):
        watch = Watch()
        watch.run(model, lambda: _call(model, example_inputs))
        shared = _several_steps(watch.steps)
        if shared:
            # Their steps are told apart only by who calls them: look again, through them.
            watch = Watch(transparent=shared)
            watch.run(model, lambda: _call(model, example_inputs))
    by_key: dict[tuple[nn.Module, int | None], list[Step]] = {}
    for step in watch.steps:
        by_key.setdefault((step.owner, step.call), []).append(step)
    paths = {module: path for path, module in model.named_modules()}
    return [_site(steps, paths[owner]) for (owner, _), steps in by_key.items()]


def check_model(model: nn.Module) -> None:
    """Refuse what surgery cannot look into."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` (={type(model).__name__}) must be a torch.nn.Module")
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError("`model` must not be scripted: replace first, then export")
    if hasattr(model, "_orig_mod"):
        raise ValueError("`model` must not be compiled: replace first, then torch.compile")


def _call(model: nn.Module, example_inputs: Any) -> Any:
    if isinstance(example_inputs, Mapping):
        return model(**example_inputs)
    if isinstance(example_inputs, tuple):
        return model(*example_inputs)
    return model(example_inputs)


def _several_steps(steps: list[Step]) -> set[nn.Module]:
    """Upsampling modules that serve several steps: one replacement could not take their place."""
    uses = Counter((step.owner, step.caller_run) for step in steps if step.kind == "module")
    channels: dict[nn.Module, set[int]] = {}
    for step in steps:
        if step.kind == "module":
            channels.setdefault(step.owner, set()).add(step.channels)
    twice = {owner for (owner, _), count in uses.items() if count > 1}
    return twice | {owner for owner, found in channels.items() if len(found) > 1}


def _site(steps: list[Step], path: str) -> Site:
    # A module may run on several maps, and enlarge only some of them.
    first = next((step for step in steps if _why_not_features(step) is None), steps[0])
    return Site(
        owner=path,
        call=first.call,
        kind=first.kind,
        host=_host(type(first.owner)),
        channels=first.channels,
        from_size=first.from_size,
        to_size=first.to_size,
        mode=first.mode,
        regular=all(step.regular for step in steps),
        scale_factor=_scale_factor(first),
        runs=len(steps),
        dtype=first.dtype,
        device=first.device,
        why_not_features=_why_not_features(first),
        why_not_replaceable=_why_not_replaceable(steps, path),
    )


def _host(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package == "__main__" else f"{package}.{kind.__name__}"


def _scale_factor(step: Step) -> float:
    if step.scale_factor is not None:
        return step.scale_factor
    ratios = [to / of for of, to in zip(step.from_size, step.to_size)]
    return max(1, round(max(ratios, default=1)))


def _why_not_features(step: Step) -> str | None:
    """Why a step is not one of upsampling features."""
    if step.inside_upsampler:
        return "part of an upsampler"
    if step.kind == "deconv":
        return "learned already"
    if any(to < of for of, to in zip(step.from_size, step.to_size)):
        return "makes the map smaller"
    if step.from_size == step.to_size:
        return "keeps the size"
    if step.flow.table:
        return "a learned table, not features"
    if not step.flow.learned:
        return "an image: no learned layer before it"
    if step.flow.pooled:
        return "pooled to a fixed grid: its scale follows the image's size"
    if max(step.from_size) == 1:
        return "one pixel: nothing to sample"
    if not step.read:
        return "logits or masks: no learned layer after it"
    return None


def _why_not_replaceable(steps: list[Step], path: str) -> str | None:
    """Why nothing can be put in the place of steps at one site."""
    owner, step = steps[0].owner, steps[0]
    if len(step.from_size) != 2:
        return f"{len(step.from_size)} spatial axes; upsamplers take two"
    if len({s.channels for s in steps}) > 1:
        return f"runs on {' and '.join(str(s.channels) for s in steps)} channels"
    if step.inside_upsampler:
        return "part of an upsampler"
    if step.kind != "call" and not path:
        return "it is the model itself: no module holds it"
    if step.kind == "deconv":
        return _why_not_plain(owner, step)
    if step.kind == "call" and is_rerouted(owner):
        return "calls of this module were replaced before: replace all of them at once"
    if step.kind == "call" and "forward" in vars(owner):
        return "the module's forward is set on the instance"
    if step.kind == "call" and hasattr(owner, UPSAMPLERS):
        return f"the module has `{UPSAMPLERS}` of its own"
    return None


def _why_not_plain(deconv: nn.Module, step: Step) -> str | None:
    strides = set(getattr(deconv, "stride", ()))
    if len(strides) != 1:
        return "its stride differs by axis"
    (stride,) = strides
    height, width = step.from_size
    if step.to_size != scaled_size(height, width, stride):
        return f"its output is not {stride} times its input's size"
    return None

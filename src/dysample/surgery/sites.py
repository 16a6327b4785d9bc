"""Find where a model resizes maps, by one run on an example."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dysample.geometry import scaled_size
from dysample.surgery.reroute import UPSAMPLERS, is_rerouted
from dysample.surgery.running import left_as_it_is
from dysample.surgery.steps import Kind, Step
from dysample.surgery.watch import watch


@dataclass(frozen=True)
class Site:
    """One place in a model's code where a map is resized.

    Args:
        owner: path of the module that resizes, or in whose forward `F.interpolate` is called.
        call: number of that call, in the order in which the example meets the calls of the module;
            None where the module itself is the step.
        place: where the call stands in the code: file and line, then those of the functions that
            called, up to the forward, and the mode; "#1" is the second time in one run. None as for
            `call`.
        kind: "module" for `nn.Upsample` and its kin, "call" for `F.interpolate`, "deconv" for
            `nn.ConvTranspose2d`, "shuffle" for a pixel shuffle.
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
        autocast: whether autocast chooses the dtypes of layers there.
        why_not_features: why it is no step of upsampling features; None if it is one.
        why_not_replaceable: why nothing can be put in its place; None if something can.
    """

    owner: str
    call: int | None
    place: str | None
    kind: Kind
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
    autocast: bool
    why_not_features: str | None
    why_not_replaceable: str | None

    @property
    def name(self) -> str:
        """Path of the module; of calls with their number: "decoder.fpn:2", the model's own ":0"."""
        return self.owner if self.call is None else f"{self.owner}:{self.call}"


def find_sites(model: nn.Module, example_inputs: Any) -> list[Site]:
    """Find the steps at which a model resizes maps, by running a copy of it once.

    The run is in eval mode without gradients; the model itself does not run.

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
        ValueError: if it is compiled, scripted or wrapped, cannot be copied, or does not run on the
            example; the message holds the model's own.
    """
    check_model(model)
    with left_as_it_is(model):
        return sites_of(model, watch(model, example_inputs))


def sites_of(model: nn.Module, run: Iterable[Step]) -> list[Site]:
    """Return the sites of the steps in a run of a model."""
    by_key: dict[tuple[str, str | None], list[Step]] = {}
    for step in run:
        by_key.setdefault((step.owner, step.place), []).append(step)
    calls: dict[str, int] = {}
    sites = []
    for (owner, place), steps in by_key.items():
        call = None if place is None else calls.get(owner, 0)
        if call is not None:
            calls[owner] = call + 1
        sites.append(_site(steps, call, model.get_submodule(owner)))
    return sites


def check_model(model: nn.Module) -> None:
    """Refuse models that surgery cannot inspect."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` (={type(model).__name__}) must be a torch.nn.Module")
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError("`model` must not be scripted: replace first, then export")
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        raise ValueError(
            f"`model` (={type(model).__name__}) must not be wrapped: give its `.module`, then wrap"
        )
    for path, module in model.named_modules():
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            where = f" (its `{path}` is)" if path else ""
            raise ValueError(
                f"`model` must not be compiled{where}: replace first, then torch.compile"
            )


def _site(steps: list[Step], call: int | None, owner: nn.Module) -> Site:
    # A module may run on several maps, and enlarge only some of them.
    first = next((step for step in steps if _why_not_features(step) is None), steps[0])
    return Site(
        owner=first.owner,
        call=call,
        place=first.place,
        kind=first.kind,
        host=_host(type(owner)),
        channels=first.channels,
        from_size=first.from_size,
        to_size=first.to_size,
        mode=first.mode,
        regular=all(step.regular for step in steps),
        scale_factor=_scale_factor(first),
        runs=len(steps),
        dtype=first.dtype,
        device=first.device,
        autocast=first.autocast,
        why_not_features=_why_not_features(first),
        why_not_replaceable=_why_not_replaceable(steps, owner),
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
    """Return why a step does not upsample features; None if it does."""
    if step.inside_upsampler:
        return "part of an upsampler"
    if step.kind in ("deconv", "shuffle"):
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
    if all(map(_fits, step.from_size, step.to_size)):
        return "fits sizes: grows by two pixels at most"
    if not step.read:
        return "logits or masks: no learned layer after it"
    return None


def _fits(of: int, to: int) -> bool:
    """Whether a length is only fitted to another map; growth by half counts as upsampling."""
    return to < 1.5 * of and to <= of + 2


def _why_not_replaceable(steps: list[Step], owner: nn.Module) -> str | None:
    """Return why the steps at one site cannot be replaced; None if they can."""
    step = steps[0]
    if len(step.from_size) != 2:
        return f"{len(step.from_size)} spatial axes; upsamplers take two"
    if len({s.channels for s in steps}) > 1:
        return f"runs on {' and '.join(str(s.channels) for s in steps)} channels"
    if step.inside_upsampler:
        return "part of an upsampler"
    if step.kind == "shuffle":
        return "its channels are sub-pixels: a layer before it makes them"
    if step.kind != "call" and not step.owner:
        return "it is the model itself: no module holds it"
    if "forward" in vars(owner):
        return "the module's forward is set on the instance"
    if step.kind == "deconv":
        return _why_not_plain(owner, step)
    if step.kind == "call" and is_rerouted(owner):
        return "calls of this module were replaced before: replace all of them at once"
    if step.kind == "call" and hasattr(owner, UPSAMPLERS):
        return f"the module has `{UPSAMPLERS}` of its own"
    return None


def _why_not_plain(deconv: nn.Module, step: Step) -> str | None:
    if type(deconv) is not nn.ConvTranspose2d or deconv._parameters.get("weight") is None:
        return "more than its weight: a subclass, or a weight that is computed"
    strides = set(deconv.stride)
    if len(strides) != 1:
        return "its stride differs by axis"
    (stride,) = strides
    height, width = step.from_size
    if step.to_size != scaled_size(height, width, stride):
        return f"its output is not {stride} times its input's size"
    return None

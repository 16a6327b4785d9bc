"""Replace the upsampling steps of a model that is not ours."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import torch
from torch import nn

from dysample.nn import Bilinear, DySample, Nearest, Upsampler
from dysample.registry import create_upsampler, get_entry
from dysample.surgery.recipes import find_recipe, install
from dysample.surgery.report import Decision, Report
from dysample.surgery.reroute import reroute
from dysample.surgery.sites import Site, find_sites

Where = str | Iterable[str] | Callable[[Site], bool]


def replace_upsamplers(
    model: nn.Module,
    upsampler: str,
    *,
    example_inputs: Any,
    where: Where | None = None,
    dry_run: bool = False,
    **options: Any,
) -> tuple[nn.Module, Report]:
    """Replace the steps at which a model upsamples features, on a copy of it.

    The model runs once on the example, which shows its `nn.Upsample` modules and its calls of
    `F.interpolate`. Of these, steps between learned layers upsample features; resizes of images,
    logits, masks and tables are left alone, and so are transposed convolutions, unless `where`
    names them.

    DySample starts with zero offsets: in the place of bilinear steps it changes nothing until it
    is trained. The parameters of the model keep their names and values; those of the upsamplers
    are added below the modules in whose forward they run, as "upsamplers.0" and so on, or in the
    place of the modules that they replace.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1))
    >>> model, report = replace_upsamplers(model, "carafe", example_inputs=torch.zeros(1, 3, 8, 8))
    >>> print(report.summary())
    1 replaced by carafe, 0 left alone, 0 refused

    Args:
        model: any module, not compiled and not wrapped for several devices yet.
        upsampler: a registered name. One that reads a guide goes only where a recipe for the class
            of the module knows the guide; see `dysample.surgery.recipes`.
        example_inputs: a tensor or a list, given to the model as its only argument; a tuple of
            positional arguments; or a mapping of keyword arguments. On the model's device.
        where: the sites to replace in place of those that upsample features: names or patterns
            like "decoder.*", or a function that tells for a `Site`.
        dry_run: replace nothing, only report what would be.
        options: given to `create_upsampler`.

    Returns:
        The copy with its upsamplers, in a dry run the model itself; and the report.

    Raises:
        TypeError: an argument of a wrong kind, or an option that the upsampler does not take.
        ValueError: an unknown upsampler, a model that is compiled or scripted, a pattern that
            matches nothing, or a model in which nothing can be replaced.
    """
    _check_options(upsampler, options)
    sites = find_sites(model, example_inputs)
    asked = _asked(sites, where)
    operated = model if dry_run else copy.deepcopy(model)
    plan = [_decide(operated, site, asked, upsampler, options) for site in sites]
    if get_entry(upsampler).guided:
        plan = _together(plan)
    report = Report(upsampler, tuple(decision for decision, _ in plan))
    if not dry_run:
        if not report.replaced:
            raise ValueError(
                f"`model` ({type(model).__name__}) must have a step that can be replaced:"
                f" {report.summary()}; dry_run=True reports the reasons"
            )
        _operate(operated, {decision.site: up for decision, up in plan if up is not None}, sites)
    return operated, report


def _check_options(upsampler: str, options: dict[str, Any]) -> None:
    """Raise for unknown names, of the upsampler and its options, before the model runs."""
    get_entry(upsampler)
    # Whether their values are legal depends on the channels of each step.
    with suppress(ValueError), torch.device("meta"):
        create_upsampler(upsampler, 64, 2, **options)


def _asked(sites: Sequence[Site], where: Where | None) -> set[Site]:
    if where is None:
        return {site for site in sites if site.why_not_features is None}
    if callable(where):
        return {site for site in sites if where(site)}
    asked: set[Site] = set()
    for pattern in [where] if isinstance(where, str) else where:
        found = {site for site in sites if fnmatch.fnmatchcase(site.name, pattern)}
        if not found:
            names = ", ".join(site.name for site in sites)
            raise ValueError(
                f"`where` (={pattern!r}) must match a site: {names or 'there is none'}"
            )
        asked |= found
    return asked


Plan = tuple[Decision, Upsampler | None]
"""A decision, and the upsampler if the site is to be replaced."""


def _decide(
    model: nn.Module,
    site: Site,
    asked: set[Site],
    upsampler: str,
    options: dict[str, Any],
) -> Plan:
    """What to do with a site."""
    if site not in asked:
        return Decision(site, "left alone", site.why_not_features or "not asked for"), None
    owner = model.get_submodule(site.owner)
    why_not = site.why_not_replaceable
    if why_not is None and get_entry(upsampler).guided:
        calls = {other.call for other in asked if other.owner == site.owner}
        why_not, options = _with_guide(owner, site, calls, options)
    if why_not is not None:
        return Decision(site, "refused", why_not), None
    if site.kind == "deconv":
        options = {"out_channels": cast(nn.ConvTranspose2d, owner).out_channels, **options}
    try:
        up = create_upsampler(upsampler, site.channels, site.scale_factor, **options)
    except ValueError as error:  # such as groups that do not divide these channels
        return Decision(site, "refused", str(error)), None
    if isinstance(up, DySample):
        nn.init.zeros_(up.offset.weight)
    up.to(device=site.device, dtype=site.dtype).train(owner.training)
    change = _change(site, up)
    reason = f"changes at once: {change}" if change else "unchanged at first"
    return Decision(site, "replaced", reason, unchanged=change is None), up


def _with_guide(
    owner: nn.Module, site: Site, calls: set[int | None], options: dict[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """Why a guided upsampler cannot go there, or the options with the guide's channels."""
    recipe = find_recipe(owner)
    if recipe is None or site.kind != "call":
        return f"no recipe knows a guide in {site.host}", options
    missing = set(recipe.calls(owner)) - calls
    if missing or site.call not in recipe.calls(owner):
        numbers = ", ".join(f"{site.owner}:{call}" for call in recipe.calls(owner))
        return f"the recipe replaces {numbers} together", options
    channels = recipe.guide_channels(owner, site.channels)
    if channels is None:
        return "there is no finer map that could guide", options
    return None, {"guide_channels": channels, **options}


def _together(plan: list[Plan]) -> list[Plan]:
    """Refuse the steps of a module whose recipe needs one that was refused."""
    broken = {decision.site.owner for decision, _ in plan if decision.action == "refused"}
    return [
        (Decision(decision.site, "refused", "another step of its recipe is refused"), None)
        if up is not None and decision.site.owner in broken
        else (decision, up)
        for decision, up in plan
    ]


def _change(site: Site, up: Upsampler) -> str | None:
    """How the output of a step changes with the new upsampler; None if it does not, at first."""
    if isinstance(up, DySample):
        mode = up.start
    elif isinstance(up, (Bilinear, Nearest)):
        mode = type(up).__name__.lower()
    else:
        return "random weights"
    before = "nearest" if site.mode == "nearest-exact" else site.mode
    # Ours is the pixel whose centre is nearest; torch's "nearest" rounds down.
    whole = all(to % of == 0 for of, to in zip(site.from_size, site.to_size))
    if mode != before or (site.mode == "nearest" and not whole):
        return f"it was {site.mode}"
    return None if site.regular else "its size was rounded"


def _operate(model: nn.Module, built: Mapping[Site, Upsampler], sites: Sequence[Site]) -> None:
    """Put the upsamplers into the model."""
    guided: dict[nn.Module, dict[int, Upsampler]] = {}
    unguided: dict[nn.Module, dict[int, Upsampler]] = {}
    # Before anything is replaced: then the paths lead elsewhere.
    owners = {site: model.get_submodule(site.owner) for site in sites}
    for site, up in built.items():
        if site.call is None:
            _exchange(model, owners[site], up)
        else:
            kind = guided if up.guided else unguided
            kind.setdefault(owners[site], {})[site.call] = up
    for owner, upsamplers in guided.items():
        install(owner, upsamplers)
    reroute(unguided, callers=owners.values())


def _exchange(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another one, wherever the model holds it."""
    for parent in list(model.modules()):
        for name in [name for name, child in parent._modules.items() if child is old]:
            setattr(parent, name, new)

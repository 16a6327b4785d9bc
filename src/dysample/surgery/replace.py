"""Replace the upsampling steps of any model."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from dysample.nn import Bilinear, DySample, Nearest, Upsampler
from dysample.registry import create_upsampler, get_entry
from dysample.surgery.exchange import exchange, why_not_exchange
from dysample.surgery.pairing import Call, calls_of, times_of, uncounted
from dysample.surgery.places import without_occurrence
from dysample.surgery.recipes import find_recipe, install
from dysample.surgery.report import Decision, Report
from dysample.surgery.reroute import Calls, reroute, why_not_reroute
from dysample.surgery.running import left_as_it_is
from dysample.surgery.sites import Site, check_model, sites_of
from dysample.surgery.verify import Verdict, train, upsampler_path, verify
from dysample.surgery.watch import copy_model, watch

_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)

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

    Copies of the model run on the example. The first run shows its `nn.Upsample` modules and its
    calls of `F.interpolate`. Of these, steps between learned layers upsample features; resizes of
    images, logits, masks and tables are left alone, and so are transposed convolutions, unless
    `where` names them. Then the model runs with its upsamplers, in eval mode and in training mode:
    a site is reported as replaced only if its upsampler ran wherever the step ran before, and gets
    a gradient. Others are put back and refused with the reason.

    DySample starts with zero offsets: in the place of bilinear steps it changes nothing until it
    is trained. The parameters of the model keep their names and values; those of the upsamplers
    are added below the modules in whose forward they run, as "upsamplers.0" and so on, or in the
    place of the modules that they replace. Those modules keep their attributes and hooks. New
    parameters have the dtype of the parameters nearest to the step, and the device of its map.

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
        dry_run: return the model as it is, and the report of what would be done.
        options: given to `create_upsampler`.

    Returns:
        The copy with its upsamplers, in a dry run the model itself; and the report.

    Raises:
        TypeError: an argument of a wrong kind, or an option that the upsampler does not take.
        ValueError: an unknown upsampler, a model that is compiled, scripted or wrapped, one that
            cannot be copied or does not run on the example, a pattern that matches nothing, or a
            model in which nothing can be replaced.
    """
    _check_options(upsampler, options)
    check_model(model)
    # Tensors that are made in inference mode, such as those of copies, could never be trained.
    with torch.inference_mode(False), left_as_it_is(model):
        return _replace(model, upsampler, options, example_inputs, where, dry_run)


def _replace(
    model: nn.Module,
    upsampler: str,
    options: dict[str, Any],
    example_inputs: Any,
    where: Where | None,
    dry_run: bool,
) -> tuple[nn.Module, Report]:
    """See `replace_upsamplers`."""
    run = watch(model, example_inputs)
    sites = sites_of(model, run)
    asked = _asked(sites, where)
    trained = train(model, example_inputs)
    calls, refusals = calls_of(sites, run, trained.steps)
    times = times_of(run, trained.steps or ())
    refusals.update(uncounted(calls, times))
    for site in asked:
        for owner, _ in calls[site]:
            why_not = why_not_reroute(model.get_submodule(owner))
            if why_not is not None:
                refusals[site] = why_not
    while True:
        operated = copy_model(model)
        plan = [_decide(operated, site, asked, upsampler, options, refusals) for site in sites]
        if get_entry(upsampler).guided:
            plan = _together(plan)
        built = {decision.site: up for decision, up in plan if up is not None}
        if not built:
            verdict = Verdict({}, {}, (), "")
            break
        _operate(operated, built, calls, times)
        verdict = verify(operated, example_inputs, trained, {site: calls[site] for site in built})
        if not verdict.refusals:
            break
        refusals.update(verdict.refusals)
    decisions = tuple(_as_seen(decision, verdict) for decision, _ in plan)
    report = Report(upsampler, options, decisions, verdict.modes, verdict.note)
    if dry_run:
        return model, report
    if not report.replaced:
        raise ValueError(
            f"`model` ({type(model).__name__}) must have a step that can be replaced:"
            f" {report.summary()}; {report.reasons()}"
        )
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
    refusals: Mapping[Site, str],
) -> Plan:
    """Decide what to do with a site."""
    if site not in asked:
        return Decision(site, "left alone", site.why_not_features or "not asked for"), None
    owner = model.get_submodule(site.owner)
    why_not = site.why_not_replaceable or refusals.get(site)
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
    up.to(device=site.device, dtype=_dtype(model, site)).train(owner.training)
    if site.call is None:
        why_not = why_not_exchange(owner, up)
        if why_not is not None:
            return Decision(site, "refused", why_not), None
    change = _change(site, up)
    reason = f"changes at once: {change}" if change else "unchanged at first"
    return Decision(site, "replaced", reason, unchanged=change is None), up


def _dtype(model: nn.Module, site: Site) -> torch.dtype:
    """Return the dtype of new parameters: that of the parameters nearest to the step.

    Without autocast, a map that the model has cast to a wider dtype needs layers of that dtype.
    """
    path = site.owner
    while True:  # from the step outwards
        for parameter in model.get_submodule(path).parameters():
            if parameter.dtype in _DTYPES:
                own = parameter.dtype
                return own if site.autocast else torch.promote_types(own, site.dtype)
        if not path:
            return site.dtype
        path = path.rpartition(".")[0]


def _with_guide(
    owner: nn.Module, site: Site, calls: set[int | None], options: dict[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """Return why a guided upsampler cannot be used, or the options with the guide's channels."""
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
    """Return how a step's output changes with the new upsampler; None if it does not, at first."""
    if isinstance(up, DySample):
        mode = up.start
    elif isinstance(up, (Bilinear, Nearest)):
        mode = "bilinear" if isinstance(up, Bilinear) else "nearest"
    else:
        return "random weights"
    before = "nearest" if site.mode == "nearest-exact" else site.mode
    # Here it is the pixel whose centre is nearest; torch's "nearest" rounds down.
    whole = all(to % of == 0 for of, to in zip(site.from_size, site.to_size))
    if mode != before or (site.mode == "nearest" and not whole):
        return f"it was {site.mode}"
    return None if site.regular else "its size was rounded"


def _as_seen(decision: Decision, verdict: Verdict) -> Decision:
    """Return the decision, with its claim of an unchanged output as verified by the run."""
    change = verdict.changed.get(decision.site)
    if not decision.unchanged or change is None:
        return decision
    reason = f"changes at once: by {change:.1g} of its largest value"
    return replace(decision, reason=reason, unchanged=False)


def _operate(
    model: nn.Module,
    built: Mapping[Site, Upsampler],
    calls: Mapping[Site, Sequence[Call]],
    times: Mapping[Call, Sequence[int]],
) -> None:
    """Install the upsamplers in the model."""
    guided: dict[str, dict[int, Upsampler]] = {}
    unguided: dict[str, dict[int, Upsampler]] = {}
    rerouted: dict[str, Calls] = {}
    # Before anything is replaced, because paths change then.
    modules = dict(model.named_modules())
    for site, up in built.items():
        if site.call is None:
            exchange(modules[site.owner], up)
        elif up.guided:
            guided.setdefault(site.owner, {})[site.call] = up
        else:
            unguided.setdefault(site.owner, {})[site.call] = up
            for owner, place in calls[site]:
                paths, met = rerouted.setdefault(owner, Calls({}, {}))
                paths[place] = upsampler_path(site).removeprefix(f"{owner}.")
                at = without_occurrence(place)
                (met[at],) = times[owner, at]
    for owner, upsamplers in guided.items():
        install(modules[owner], upsamplers)
    for owner, of_owner in rerouted.items():
        reroute(modules[owner], unguided.get(owner, {}), of_owner)

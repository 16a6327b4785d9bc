"""Run a model with its upsamplers beside the original, to verify what the report says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from dysample.surgery.pairing import Call
from dysample.surgery.reroute import UPSAMPLERS
from dysample.surgery.running import ModelError, named, run_model
from dysample.surgery.sites import Site
from dysample.surgery.steps import Step
from dysample.surgery.watch import copy_model, tensors_of, watch

_SMALL = {torch.float16: 2e-2, torch.bfloat16: 2e-2}
"""Change of a step, over its largest value, that is rounding alone; 1e-3 for other dtypes."""


@dataclass
class Verdict:
    """The result of running a model with its upsamplers.

    Args:
        refusals: why a site cannot stay replaced.
        changed: sites whose output is not what it was, and by how much of its largest value.
        modes: in which the model ran.
        note: why it did not run in training mode, or what could not be seen there.
    """

    refusals: Mapping[Site, str]
    changed: Mapping[Site, float]
    modes: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Training:
    """How the original model runs in training mode.

    Args:
        example_inputs: on which it does; a batch norm over single values takes no batch of one, so
            that every image may be there twice.
        steps: its resizes; None where it does not run, as detectors without targets.
        note: why it does not run.
    """

    example_inputs: Any
    steps: tuple[Step, ...] | None
    note: str = ""


def train(model: nn.Module, example_inputs: Any) -> Training:
    """Run a copy of a model in training mode."""
    for example in (example_inputs, tree_map(_twice, example_inputs)):
        try:
            return Training(example, tuple(watch(model, example, training=True)))
        except ModelError as error:
            note = f"the model does not train on the example: {named(error.error)}"
    return Training(example_inputs, None, note)


def _twice(leaf: Any) -> Any:
    alone = isinstance(leaf, Tensor) and leaf.dim() > 0 and leaf.shape[0] == 1
    return torch.cat((leaf, leaf)) if alone else leaf


def verify(
    operated: nn.Module,
    example_inputs: Any,
    training: Training,
    calls: Mapping[Site, Sequence[Call]],
) -> Verdict:
    """Run copies of a model with its upsamplers in eval and in training mode.

    In each mode every upsampler has to run as often as its step did, and its weights have to get a
    gradient in training mode. Where the model as it was does not run, nothing is asked.

    Args:
        operated: the model with its upsamplers.
        example_inputs: as `dysample.surgery.find_sites` takes them.
        training: how the model as it was trains.
        calls: of each site that was replaced, in both modes.
    """
    trial = _Trial(operated, example_inputs, calls, training=False)
    refusals = trial.missed({site: site.runs for site in calls}, "eval")
    changed = {
        site: change
        for site, change in trial.changes.items()
        if not change <= _SMALL.get(site.dtype, 1e-3)
    }
    if refusals or training.steps is None:
        return Verdict(refusals, changed, ("eval",), training.note)
    runs = Counter((step.owner, step.place) for step in training.steps)
    expected = {
        site: sum(runs[call] for call in own) if own else runs[site.owner, None]
        for site, own in calls.items()
    }
    trial = _Trial(operated, training.example_inputs, calls, training=True)
    refusals = trial.missed(expected, "training")
    return Verdict(refusals, changed, ("eval", "training"), trial.note)


def upsampler_path(site: Site) -> str:
    """Return the path of the upsampler that replaces a site."""
    if site.call is None:
        return site.owner
    return f"{site.owner}.{UPSAMPLERS}.{site.call}".lstrip(".")


class _Trial:
    """One run of a copy of a model with its upsamplers, and what they did.

    Args:
        runs: how often each upsampler ran.
        changes: largest difference to the step that it replaced, over that step's largest value.
        untrained: sites whose weights got no gradient.
        refusals: why a site let the run fail.
        note: what could not be seen.
    """

    def __init__(
        self, operated: nn.Module, example_inputs: Any, sites: Collection[Site], *, training: bool
    ) -> None:
        model = copy_model(operated)
        self.running = True
        self.runs: Counter[Site] = Counter()
        self.changes: dict[Site, float] = {}
        self.untrained: set[Site] = set()
        self.note = ""
        self.refusals: dict[Site, str] = {}
        self.parameters: dict[Site, list[Tensor]] = {}
        for site in sites:
            up = model.get_submodule(upsampler_path(site))
            self.parameters[site] = list(up.parameters())
            self._record(up, site)
        try:
            outputs = run_model(model, example_inputs, training=training)
            self.running = False
        except ModelError as error:
            if not self.refusals:  # the host's own code, which may not know what it meets
                why = f"the model does not run with its upsamplers: {named(error.error)}"
                self.refusals = dict.fromkeys(sites, why)
            return
        if training:
            self._differentiate(list(tensors_of(outputs)))

    def missed(self, expected: dict[Site, int], mode: str) -> dict[Site, str]:
        """Return why sites cannot stay replaced, given how often their steps run."""
        if self.refusals:
            return self.refusals
        refusals = {}
        for site, runs in expected.items():
            found = self.runs[site]
            if mode == "training" and runs == 0 and self.parameters[site]:
                refusals[site] = (
                    "the step does not run in training mode: its upsampler would never be trained"
                )
            elif found == 0 < runs:
                refusals[site] = (
                    f"its upsampler does not run in {mode} mode: the forward reaches the step by"
                    " another way than the modules that the model holds"
                )
            elif found != runs:
                refusals[site] = (
                    f"its upsampler runs {found} times in {mode} mode, the step runs {runs} times"
                )
            elif site in self.untrained:
                refusals[site] = "its weights get no gradient in training mode"
        return refusals

    def _record(self, up: nn.Module, site: Site) -> None:
        forward = up.forward

        def recorded(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            if not self.running:  # the backward pass computes a checkpointed piece once more
                return cast(Tensor, forward(x, *args, **kwargs))
            try:
                out: Tensor = forward(x, *args, **kwargs)
            except Exception as error:
                self.refusals[site] = f"its upsampler raises {named(error)}"
                raise
            self.runs[site] += 1
            if site.kind != "deconv":
                change = _difference(out.detach(), _interpolated(x.detach(), out, site.mode))
                self.changes[site] = max(change, self.changes.get(site, 0.0))
            return out

        up.forward = recorded  # also for those who call it without calling the module

    def _differentiate(self, outputs: list[Tensor]) -> None:
        roots = [x for x in outputs if x.requires_grad]
        if not roots:
            self.note = "no output has a gradient: whether the upsamplers train was not seen"
            return
        if not any(self.parameters.values()):
            return
        try:
            # Not autograd.grad, which checkpoints that are reentrant do not take.
            torch.autograd.backward(roots, [torch.ones_like(x) for x in roots])
        except RuntimeError as error:
            why = f"the model's backward pass does not run with its upsamplers: {named(error)}"
            self.refusals = dict.fromkeys(self.parameters, why)
            return
        self.untrained = {
            site
            for site, several in self.parameters.items()
            if several and all(p.grad is None for p in several)
        }


def _interpolated(x: Tensor, out: Tensor, mode: str) -> Tensor:
    name, _, corners = mode.partition(", ")
    options = {"align_corners": True} if corners else {}
    return F.interpolate(x, out.shape[2:], mode=name, **options)


def _difference(out: Tensor, wanted: Tensor) -> float:
    if out.shape != wanted.shape:
        return float("inf")
    if out.numel() == 0 or out.is_meta:
        return 0.0
    peak = float(wanted.double().abs().max())
    return float((out.double() - wanted.double()).abs().max()) / (peak or 1.0)

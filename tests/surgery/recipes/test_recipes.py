"""Each recipe is its host's forward: with fixed interpolation, the same numbers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from dysample import SAPAI, create_upsampler
from dysample.registry import _ENTRIES, register_upsampler
from dysample.surgery import find_sites, replace_upsamplers
from dysample.surgery.recipes import RECIPES, find_recipe, install
from support.hosts import HOSTS, run

GUIDED = [name for name, host in HOSTS.items() if host.guided]


@pytest.mark.parametrize("name", GUIDED)
def test_with_the_host_s_interpolation_it_is_the_host(name: str) -> None:
    host = HOSTS[name]
    model = host.model()
    new = copy.deepcopy(model)
    sites = {site.name: site for site in find_sites(model, host.example())}
    done = 0
    for path, owner in list(new.named_modules()):
        recipe = find_recipe(owner)
        if recipe is None:
            continue
        steps = [sites[f"{path}:{call}"] for call in recipe.calls(owner)]
        if recipe.guide_channels(owner, steps[0].channels) is None:
            continue
        ups = {
            step.call: create_upsampler(step.mode, step.channels, step.scale_factor)
            for step in steps
        }
        install(owner, ups)
        done += len(steps)
    assert done == host.guided
    for a, b in zip(run(model, host.example()), run(new, host.example())):
        torch.testing.assert_close(b, a, rtol=0, atol=1e-5)


class Picky(SAPAI):
    """A guided upsampler that takes no large steps."""

    def __init__(self, in_channels: int, scale_factor: float = 2, **options: Any) -> None:
        if scale_factor > 4:
            raise ValueError(f"`scale_factor` (={scale_factor}) must be at most 4")
        super().__init__(in_channels, scale_factor, **options)


def test_the_steps_of_a_recipe_are_replaced_together_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dysample.registry._ENTRIES", dict(_ENTRIES))
    register_upsampler("picky", Picky)
    host = HOSTS["SegFormer"]  # steps to 2, 4 and 8 times the size
    _, report = replace_upsamplers(
        host.model(), "picky", example_inputs=host.example(), dry_run=True
    )
    assert not report.replaced
    assert [decision.reason for decision in report.decisions if decision.action == "refused"] == [
        "another step of its recipe is refused",
        "another step of its recipe is refused",
        "`scale_factor` (=8) must be at most 4",
    ]


def test_every_recipe_is_used_by_a_host() -> None:
    used = set()
    for name in GUIDED:
        for module in HOSTS[name].model().modules():
            kind = type(module)
            used.add(f"{kind.__module__}.{kind.__qualname__}")
    assert set(RECIPES) <= used


def test_no_recipe() -> None:
    with pytest.raises(ValueError, match=r"`owner` \(=Identity\) must be one of"):
        install(torch.nn.Identity(), {})

"""The models that people have, operated on; their table in the docs is what is found here."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dysample
from dysample.surgery import find_sites, replace_upsamplers
from support.host_surgery import operated, support_table
from support.hosts import HOSTS, Host, flat, run

PAGE = Path(__file__).parents[2] / "docs" / "surgery.md"
each_host = pytest.mark.parametrize("name", HOSTS)


def added(model: nn.Module, new: nn.Module) -> dict[str, Tensor]:
    before = model.state_dict()
    return {key: value for key, value in new.state_dict().items() if key not in before}


@each_host
def test_the_steps_that_upsample_features_are_found(name: str) -> None:
    host = HOSTS[name]
    sites = find_sites(operated(name)[0], host.example())
    found = [site.name for site in sites if site.why_not_features is None]
    assert sorted(found) == sorted(host.steps), dysample.surgery.report.site_table(sites)


@each_host
def test_output_is_the_same_at_first(name: str) -> None:
    host = HOSTS[name]
    model, new, report = operated(name)
    assert report.replaced
    pairs = list(zip(run(model, host.example()), run(new, host.example())))
    assert pairs
    if "corners" in host.mode:
        assert not report.unchanged
        assert any(not torch.equal(a, b) for a, b in pairs)
        return
    assert report.unchanged
    for a, b in pairs:
        torch.testing.assert_close(b, a, rtol=0, atol=1e-5)


@each_host
def test_everything_else_keeps_its_name_and_value(name: str) -> None:
    model, new, report = operated(name)
    state = new.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert len(added(model, new)) == 2 * len(report.replaced)  # weight and bias of the offsets
    # The given model is not touched.
    assert not any(isinstance(module, dysample.Upsampler) for module in model.modules())


@each_host
def test_save_and_load(name: str) -> None:
    host = HOSTS[name]
    new = operated(name)[1]
    trained = copy.deepcopy(new)
    with torch.no_grad():
        for module in trained.modules():
            if isinstance(module, dysample.DySample):
                module.offset.weight.normal_(std=0.3)
    fresh, _ = replace_upsamplers(
        host.model(),
        "dysample",
        example_inputs=host.example(),
        where=host.where or host.same_mode,
        **host.options,
    )
    fresh.load_state_dict(trained.state_dict())
    found, expected = run(fresh, host.example()), run(trained, host.example())
    assert all(torch.equal(a, b) for a, b in zip(found, expected))
    # What was trained is in use.
    before = run(new, host.example())
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(before, expected))


@each_host
def test_the_upsamplers_learn(name: str) -> None:
    host = HOSTS[name]
    new = copy.deepcopy(operated(name)[1])
    ups = [module for module in new.modules() if isinstance(module, dysample.DySample)]
    results = list(flat(_maps(new, host)))
    sum(result.square().sum() for result in results if result.requires_grad).backward()
    assert all(up.offset.weight.grad.abs().max() > 0 for up in ups)


def _maps(model: nn.Module, host: Host) -> object:
    """Results with a gradient: of detectors, what their pyramid makes."""
    if hasattr(model, "backbone") and host.library == "torchvision" and "FPN" in host.name:
        return model.backbone(host.example()[0][None])
    return model(host.example())


@each_host
def test_guided_upsamplers_go_where_a_recipe_knows_the_guide(name: str) -> None:
    host = HOSTS[name]
    if not host.guided:
        _, report = replace_upsamplers(
            operated(name)[0], "fade", example_inputs=host.example(), dry_run=True
        )
        assert not report.replaced
        assert all("no recipe" in d.reason for d in report.decisions if d.action == "refused")
        return
    # Without FADE's gate, for which a guide needs the channels of the result.
    new, report = replace_upsamplers(
        operated(name)[0], "fade", example_inputs=host.example(), gating=False
    )
    assert len(report.replaced) == host.guided
    seen = []
    for module in new.modules():
        if isinstance(module, dysample.FADE):
            module.register_forward_hook(lambda up, given, result: seen.append(given[1].shape))
    run(new, host.example())
    assert len(seen) == host.guided


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LRASPP", "Unet", "SegFormer", "GLPN"])
def test_compile(name: str, fresh_dynamo: None) -> None:
    host = HOSTS[name]
    new = copy.deepcopy(operated(name)[1])
    expected = run(new, host.example())
    found = run(torch.compile(new, backend="eager"), host.example())
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_table_in_the_docs() -> None:
    for host in HOSTS.values():
        pytest.importorskip(host.library)
    table = support_table()
    assert table in PAGE.read_text(), f"`make tables` writes it:\n{table}"
    assert "no: |" not in table

"""Layers that are more than their weights: offloaded, listened to, adapted, exchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import dysample
from dysample.nn.weights import is_plain
from support.upsamplers import C, each_name, features, guide_for, lively

pytestmark = pytest.mark.usefixtures("backend")

OPTIONS = [{}, {"dyscope": True}, {"style": "pl"}, {"style": "pl", "dyscope": True}]
each_variant = pytest.mark.parametrize("options", OPTIONS, ids=str)


def offload(module: nn.Module) -> None:
    """Weights go to meta, and an own `forward` fetches them for each call, as offloaders do."""
    for layer in module.modules():
        kept = {name: p.detach().clone() for name, p in layer.named_parameters(recurse=False)}
        if not kept:
            continue

        def forward(*args, layer=layer, kept=kept, inner=layer.forward, **options):
            for name in kept:
                layer._parameters[name] = nn.Parameter(kept[name].clone())
            out = inner(*args, **options)
            for name in kept:
                layer._parameters[name] = nn.Parameter(kept[name].to("meta"))
            return out

        for name in kept:
            layer._parameters[name] = nn.Parameter(kept[name].to("meta"))
        layer.forward = forward


@each_name
def test_offloaded_weights_count(name: str) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    expected = up(x, guide)
    offload(up)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("norm", ["layer", None])
def test_offloaded_queries_of_both_features_count(norm: str | None) -> None:
    up, x = lively("sapa_b", query="cat", norm=norm), features()
    guide = guide_for(up, x)
    expected = up(x, guide)
    offload(up)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-10)


@each_name
def test_weights_without_numbers_are_refused(name: str) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    for path, weight in up.named_parameters():
        lost = copy.deepcopy(up)
        owner, _, last = path.rpartition(".")
        setattr(lost.get_submodule(owner), last, nn.Parameter(weight.to("meta")))
        with pytest.raises(
            ValueError, match=f"^`{path}` lies on meta, without numbers, and `x` on"
        ):
            lost(x, guide)


def test_weights_that_are_fetched_for_all_below_are_not_refused() -> None:
    up, x = lively("a2u"), features()
    guide = guide_for(up, x)
    expected = up(x, guide)
    block = up.kernel_gen.bconv_U
    kept = {name: p.detach().clone() for name, p in block.named_parameters()}
    block.to("meta")

    def fetch(*unused: object) -> None:
        for name, value in kept.items():
            owner, _, last = name.rpartition(".")
            setattr(block.get_submodule(owner), last, nn.Parameter(value))

    block.register_forward_pre_hook(fetch)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


class Low(nn.Conv2d):
    """An adapted layer."""

    def forward(self, input: Tensor) -> Tensor:
        return 3 * super().forward(input)


class Scaled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 3 * weight


class Thrice(Tensor):
    """Numbers that mean three times themselves to a convolution."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is not F.conv2d and func is not torch.conv2d:
            return super().__torch_function__(func, types, args, kwargs or {})
        x, weight, bias, *rest = args
        weight, bias = weight.as_subclass(Tensor), bias.as_subclass(Tensor)
        return F.conv2d(x, 3 * weight, 3 * bias, *rest)


def own_forward(layer: nn.Module) -> None:
    layer.forward = lambda x: 3 * type(layer).forward(layer, x)


def own_inner_forward(layer: nn.Conv2d) -> None:
    layer._conv_forward = lambda x, w, b: 3 * F.conv2d(x, w, b)


def compiled(layer: nn.Conv2d) -> None:
    layer._compiled_call_impl = lambda x: 3 * layer._call_impl(x)


def hook(layer: nn.Module) -> None:
    layer.register_forward_hook(lambda module, inputs, out: 3 * out)


def pre_hook(layer: nn.Conv2d) -> None:
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 3,))
    layer.bias.data *= 3


def another_class(layer: nn.Conv2d) -> None:
    layer.__class__ = Low


def parametrized(layer: nn.Conv2d) -> None:
    parametrize.register_parametrization(layer, "weight", Scaled())
    parametrize.register_parametrization(layer, "bias", Scaled())


def tensor_of_another_class(layer: nn.Conv2d) -> None:
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(Thrice), requires_grad=False)
    layer.bias = nn.Parameter(layer.bias.detach().as_subclass(Thrice), requires_grad=False)


TOUCHES = [
    own_forward,
    own_inner_forward,
    compiled,
    hook,
    pre_hook,
    another_class,
    parametrized,
    tensor_of_another_class,
]


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_touched_offset_counts_three_times(touch: Callable[[nn.Conv2d], None]) -> None:
    up, x = lively("dysample"), features()
    thrice = copy.deepcopy(up)
    with torch.no_grad():
        thrice.offset.weight *= 3
        thrice.offset.bias *= 3
    plain = up(x)
    touch(up.offset)
    out = up(x)
    torch.testing.assert_close(out, thrice(x), rtol=0, atol=1e-10)
    assert not torch.allclose(out, plain)


@pytest.mark.parametrize("touch", [own_forward, hook])
@pytest.mark.parametrize("norm", ["layer", None])
def test_a_touched_query_of_both_features_is_called(touch, norm: str | None) -> None:
    up, x = lively("sapa_b", query="cat", norm=norm), features()
    guide = guide_for(up, x)
    thrice = copy.deepcopy(up)
    with torch.no_grad():
        thrice.q.weight *= 3
        thrice.q.bias *= 3
    touch(up.q)
    torch.testing.assert_close(up(x, guide), thrice(x, guide), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["forward_pre", "forward", "full_backward_pre", "full_backward"])
@each_variant
def test_hooks_on_all_modules_hear_of_each_layer(options, kind: str) -> None:
    up, heard = dysample.DySample(C, **options).double(), []
    register = getattr(nn.modules.module, f"register_module_{kind}_hook")
    handle = register(lambda module, *unused: heard.append(module))
    try:
        up(features().requires_grad_()).sum().backward()
    finally:
        handle.remove()
    for layer in (up.offset, *([up.scope] if up.dyscope else [])):
        assert sum(module is layer for module in heard) == 1


@pytest.mark.parametrize(
    "listen",
    [
        lambda m, call: m.register_forward_hook(lambda *unused: call()),
        lambda m, call: m.register_forward_pre_hook(lambda *unused: call()),
        lambda m, call: m.register_forward_hook(lambda *unused, **more: call(), with_kwargs=True),
        lambda m, call: m.register_full_backward_pre_hook(lambda *unused: call()),
        lambda m, call: m.register_full_backward_hook(lambda *unused: call()),
    ],
)
@each_variant
def test_each_hook_of_each_layer_runs_once(options, listen) -> None:
    for name in ("offset", *(["scope"] if options.get("dyscope") else [])):
        up, calls = dysample.DySample(C, **options).double(), []
        listen(up.get_submodule(name), lambda: calls.append(1))  # noqa: B023
        up(features().requires_grad_()).sum().backward()
        assert len(calls) == 1


def test_what_is_plain() -> None:
    conv = nn.Conv2d(4, 6, 1)
    assert is_plain(conv)
    assert is_plain(nn.Conv2d(4, 6, 1, bias=False))
    conv.note = "a name alone"
    assert is_plain(conv)
    assert not is_plain(nn.Identity())
    for options in (
        {"kernel_size": 3},
        {"stride": 2},
        {"padding": 1},
        {"dilation": 2},
        {"groups": 2},
    ):
        assert not is_plain(nn.Conv2d(4, 6, **{"kernel_size": 1, **options}))
    for change in (
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        lambda m: prune.random_unstructured(m, "weight", 0.5),
        lambda m: setattr(m, "weight", nn.Parameter(m.weight.detach().to_sparse())),
    ):
        changed = nn.Conv2d(4, 6, 1)
        change(changed)
        assert not is_plain(changed)


@pytest.mark.parametrize(
    ("owner", "method"),
    [(nn.Conv2d, "forward"), (nn.Conv2d, "_conv_forward"), (nn.Module, "__call__")],
)
def test_a_class_that_was_changed_is_called(monkeypatch, owner: type, method: str) -> None:
    up, x, seen = lively("dysample"), features(), []
    original = getattr(owner, method)

    def changed(self, *args, **options):
        if self is up.offset:
            seen.append(self)
        return original(self, *args, **options)

    expected = up(x)
    monkeypatch.setattr(owner, method, changed)
    torch.testing.assert_close(up(x), expected, rtol=0, atol=1e-12)
    assert len(seen) == 1


def test_counting_changes_nothing() -> None:
    """torch's flop counter listens to all modules, and is to count what runs without it."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False), dysample.ops.recorded() as choices:
        dysample.DySample(C)(features().float())
    assert [choice.primitive for choice in choices] == ["offset_field", "point_sample"]

"""Calls of the primitives on random sizes, strides, dtypes and values, held to plain torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

import dysample
from dysample import ops
from dysample.layout import compute_dtype

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SPECIAL = [float("nan"), float("inf"), float("-inf"), 1e30, -1e30]
LAYOUTS = ["plain", "channels_last", "sliced", "transposed", "shifted", "expanded"]

draws_dtype = st.sampled_from(DTYPES)
draws_layout = st.sampled_from(LAYOUTS)


def laid(value: Tensor, layout: str) -> Tensor:
    """The same numbers (of the first image alone where expanded), with NaN between them."""
    if layout == "channels_last":
        return value.contiguous(memory_format=torch.channels_last)
    if layout == "expanded":
        return value[:1].expand(value.shape)
    if layout == "transposed":
        return value.mT.contiguous().mT
    if layout == "plain":
        return value
    B, C, H, W = value.shape
    if layout == "shifted":  # off the boundaries of vectors and cache lines
        flat = value.new_full((value.numel() + 3,), float("nan"))
        view = flat[3:].view(value.shape)
    else:
        view = value.new_full((B, C + 1, 2 * H, 2 * W + 3), float("nan"))
        view = view[:, 1:, ::2, 3::2]
    return view.copy_(value)


class Draw:
    """Tensors of one example, from one seed, with lengths and channels up to the largest ones."""

    def __init__(self, data: st.DataObject, longest: int = 40, channels: int = 70) -> None:
        self.data, self.most = data, channels
        self.size = st.tuples(*(st.integers(1, longest),) * 2)
        self.kernels = [1, 3, 5, 7] if longest > 7 else [1, 3, 5]
        self.source = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16), "seed"))

    def __call__(self, strategy: Any, name: str) -> Any:
        return self.data.draw(strategy, name)

    def tensor(self, name: str, *shape: int, spread: float = 1.0, special: bool = False) -> Tensor:
        value = spread * torch.randn(*shape, generator=self.source, dtype=torch.float64)
        if special and value.numel() > 0 and self(st.booleans(), f"{name} has special values"):
            places = torch.randint(value.numel(), (3,), generator=self.source)
            for place, number in zip(places.tolist(), SPECIAL[int(places[0]) % 3 :]):
                value.view(-1)[place] = number
        value = value.to(self(draws_dtype, f"{name} dtype"))
        return laid(value, self(draws_layout, f"{name} layout"))

    def channels(self) -> tuple[int, int]:
        """Channels and groups."""
        groups = self(st.integers(1, 3), "groups")
        return groups * self(st.integers(1, self.most // groups), "channels of a group"), groups


def assert_near(
    ours: Tensor, exact: Tensor, magnitude: Tensor | float, roundings: float, first: Tensor
) -> None:
    """Equal within that many roundings of the arithmetic, and one of the storage, where finite.

    Args:
        ours: what the kernels gave.
        exact: plain torch's result in float64.
        magnitude: what was added up, without its signs.
        roundings: of the arithmetic, each relative to the magnitude.
        first: the first of the inputs, which decides what is computed in.
    """
    arithmetic, storage = torch.finfo(compute_dtype(first)), torch.finfo(ours.dtype)
    magnitude = torch.as_tensor(magnitude, dtype=torch.float64).expand(exact.shape)
    defined = exact.isfinite() & magnitude.isfinite()
    defined &= exact.abs() < storage.max / 2
    defined &= magnitude < arithmetic.max / 2
    allowed = roundings * arithmetic.eps * magnitude + storage.eps * exact.abs() + storage.tiny
    excess = ((ours.double() - exact).abs() / allowed)[defined]
    worst = float(excess.nan_to_num(nan=float("inf")).max()) if excess.numel() else 0.0
    assert worst <= 1, f"{worst:.3g} times the allowed error"


Run = tuple[Tensor, tuple[Tensor, ...]]


def run(function: Callable[..., Tensor], tensors: Sequence[Tensor], high: Tensor, name: str) -> Run:
    """Result and gradients of a function of tensors on a backend."""
    leaves = [t.detach().requires_grad_() for t in tensors]
    with dysample.backend(name):
        out = function(*leaves)
        return out.detach(), torch.autograd.grad(out, leaves, high.to(out.dtype))


def both(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], high: Tensor, name: str
) -> list[Run]:
    """On the kernels of that name, and exact."""
    exact = [t.double() for t in tensors]
    ours = run(function, tensors, high, name)
    for gradient, tensor in zip(ours[1], tensors):
        assert gradient.dtype == tensor.dtype
    return [ours, run(function, exact, high.double(), "eager")]


def check_point_sample(draw: Draw, name: str) -> None:
    """Hold a random call on a backend to plain torch in float64."""
    (C, G), B, scale = draw.channels(), draw(st.integers(0, 2), "B"), draw(st.integers(1, 3), "s")
    size, out = draw(draw.size, "(H, W)"), draw(draw.size, "(Y, X)")
    of_field = out if scale == 1 and draw(st.booleans(), "as large") else draw(draw.size, "field")
    spread = draw(st.sampled_from([0.3, 2.0, 40.0]), "spread")
    start = draw(st.sampled_from(["bilinear", "nearest"]), "start")
    x = draw.tensor("x", B, C, *size)
    field = draw.tensor("field", B, 2 * G * scale**2, *of_field, spread=spread, special=True)
    high = draw.tensor("high", B, C, *out).to(x.dtype)

    def function(x: Tensor, field: Tensor) -> Tensor:
        return ops.point_sample(x, field, scale, out, start)

    (ours, grads), (exact, exact_grads) = both(function, (x, field), high, name)
    if x.numel() == 0:
        return
    # Positions are as exact as the shift is large, and no shift is larger than the map.
    roundings = 8 * (2 + min(4 * spread, 2.0 * max(size)))
    if x.dtype == torch.float64:  # the exact ones are rounded too, and counted from the map's edge
        roundings += 8 * max(size)
    assert_near(ours, exact, float(x.abs().max()), roundings, x)
    _, sums = run(function, (x.double(), field.double()), high.double().abs(), "eager")
    assert_near(grads[0], exact_grads[0], float(sums[0].max()), roundings, x)
    # Slopes jump where a position is a pixel's centre, or rounds to its other side.
    if x.dtype == torch.float64 and field.dtype in (torch.float32, torch.float64):
        most = float(high.abs().max() * x.abs().max()) * 2 * C * out[0] * out[1]
        assert_near(grads[1], exact_grads[1], most, roundings, x)


def check_reassemble(draw: Draw, name: str) -> None:
    """Hold a random call on a backend to plain torch in float64."""
    (C, G), B, scale = draw.channels(), draw(st.integers(0, 2), "B"), draw(st.integers(1, 3), "s")
    k = draw(st.sampled_from(draw.kernels), "k")
    size, out = draw(draw.size, "(H, W)"), draw(draw.size, "(Y, X)")
    of_field = out if scale == 1 and draw(st.booleans(), "as large") else draw(draw.size, "field")
    softmax = draw(st.booleans(), "softmax")
    x = draw.tensor("x", B, C, *size)
    field = draw.tensor("field", B, G * k**2 * scale**2, *of_field, spread=2, special=True)
    high = draw.tensor("high", B, C, *out).to(x.dtype)

    def function(x: Tensor, field: Tensor, softmax: bool = softmax) -> Tensor:
        return ops.reassemble(x, field, k, scale, out, softmax)

    (ours, grads), (exact, exact_grads) = both(function, (x, field), high, name)
    weights = field.double().abs()
    if softmax:
        planes = field.double().unflatten(1, (G, k**2, scale**2))
        weights = planes.softmax(2).flatten(1, 3)
    sizes = (x.double().abs(), weights)
    magnitude, sums = run(
        lambda *t: function(*t, softmax=False), sizes, high.double().abs(), "eager"
    )
    assert_near(ours, exact, magnitude, 32, x)
    assert_near(grads[0], exact_grads[0], sums[0], 32, x)
    if softmax and x.numel() > 0:
        assert_near(grads[1], exact_grads[1], float(sums[1].nan_to_num().max()), 32, x)
    else:
        assert_near(grads[1], exact_grads[1], sums[1], 32, x)


def check_affinity(draw: Draw, name: str) -> None:
    """Hold a random call on a backend to plain torch in float64."""
    (C, G), B = draw.channels(), draw(st.integers(0, 2), "B")
    k = draw(st.sampled_from(draw.kernels), "k")
    size, out = draw(draw.size, "(H, W)"), draw(draw.size, "(Y, X)")
    query = draw.tensor("query", B, C, *out, special=True)
    key = draw.tensor("key", B, C, *size)

    def function(query: Tensor, key: Tensor) -> Tensor:
        return ops.affinity(query, key, k, G)

    high = torch.randn(B, G * k**2, *out, generator=draw.source).to(compute_dtype(query))
    (ours, grads), (exact, exact_grads) = both(function, (query, key), high, name)
    sizes = (query.double().abs(), key.double().abs())
    magnitude, sums = run(function, sizes, high.double().abs(), "eager")
    assert_near(ours, exact, magnitude, 32, query)
    for ours, exact, magnitude in zip(grads, exact_grads, sums):
        assert_near(ours, exact, magnitude, 32, query)

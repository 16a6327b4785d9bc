"""What the tests of Triton's kernels share: who can run them, small tiles, what was launched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

import dysample
from support import interpreter

needs_triton = pytest.mark.skipif(
    interpreter.missing is not None, reason=f"nothing to interpret: {interpreter.missing}"
)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of which small maps have several, with blocks that reach beyond a group's channels."""
    from dysample.backends.gpu import tiles

    small = tiles.Tile(2, 4, 2, 1)
    monkeypatch.setattr(tiles, "TILES", {name: {False: small, True: small} for name in tiles.TILES})


@contextmanager
def launched() -> Iterator[list[str]]:
    """Collect the names of the kernels that run within."""
    from dysample.backends.gpu import launch

    names: list[str] = []
    run = launch.Maps.tile

    def record(self: launch.Maps, kernel: str) -> object:
        names.append(kernel)
        return run(self, kernel)

    launch.Maps.tile = record
    try:
        yield names
    finally:
        launch.Maps.tile = run


Result = tuple[Tensor, ...]


def run(function: Callable[..., Tensor], tensors: list[Tensor], high: Tensor, name: str) -> Result:
    """Result and gradients of a function of tensors on a backend."""
    leaves = [t.detach().requires_grad_() for t in tensors]
    with dysample.backend(name):
        out = function(*leaves)
        return out.detach(), *torch.autograd.grad(out, leaves, high.to(out.dtype))


@contextmanager
def in_order() -> Iterator[None]:
    """Within, sums have one order."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)

"""Triton's interpreter for tests: faster, in a random order, and watchful.

It runs kernels on CPU tensors with numpy. `apply` makes it check what a GPU would not forgive:

- every address that is loaded, stored or added to lies in a tensor that was passed,
- no address is stored by two programs of a launch, or loaded by one and stored by another.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Any

import numpy as np
import torch

from dysample.backends.gpu import support

if "triton" in sys.modules:
    raise RuntimeError(
        f"Triton was imported before {support.VARIABLE} was set, which it reads then"
    )
# What tests compile, they compile in a child without it.
os.environ[support.VARIABLE] = "1"
missing = support.missing()
"""Why no kernel can be interpreted here; None if they can."""

counts = {"launches": 0, "loads": 0, "stores": 0, "atomics": 0}
"""What ran since the start, for tests that must not pass by running nothing."""


class _Launch:
    """What one launch may touch, has loaded and stored, and the order of its programs."""

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        self.spans = np.array(sorted(map(span, filter(torch.Tensor.numel, tensors))), np.int64)
        self.stored: dict[int, tuple[int, ...]] = {}
        self.loaded: dict[int, tuple[int, ...] | None] = {}
        self.order = np.zeros(0, np.int64)

    def check(self, pointers: np.ndarray, mask: np.ndarray, size: int, what: str) -> np.ndarray:
        """The addresses of an access, all within one of the tensors."""
        pointers, mask = np.broadcast_arrays(pointers, mask)
        at = pointers[mask].astype(np.int64)
        place = np.searchsorted(self.spans[:, 0], at, side="right") - 1
        inside = (place >= 0) & (at + size <= self.spans[np.maximum(place, 0), 1])
        if not inside.all():
            raise MemoryError(f"{what} outside of every argument: {(~inside).sum()} addresses")
        return at


def span(tensor: torch.Tensor) -> tuple[int, int]:
    """First address of a tensor, and the first one beyond it."""
    reach = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride()))
    return tensor.data_ptr(), tensor.data_ptr() + (reach + 1) * tensor.element_size()


def apply(seed: int = 0) -> None:
    """Change Triton's interpreter in this process."""
    import triton.runtime.interpreter as interpreter

    _hasten(interpreter)
    _watch(interpreter, np.random.default_rng(seed))


def _hasten(interpreter: Any) -> None:
    """Drop checks of overflow that assert nothing, and patch the language once a launch."""
    interpreter.interpreter_builder.options = dataclasses.replace(
        interpreter.InterpreterOptions(), sanitize_overflow=False, debug=False
    )
    patch, scopes, patched = interpreter._patch_lang, [], []

    class Nothing:
        def restore(self) -> None:
            pass

    class Undo:
        def restore(self) -> None:
            while scopes:
                scopes.pop().restore()
            patched.clear()

    def once(function: Any) -> Nothing | Undo:
        if any(function.__globals__ is other for other in patched):
            return Nothing()
        outer = not patched
        patched.append(function.__globals__)
        scopes.append(patch(function))
        return Undo() if outer else Nothing()

    interpreter._patch_lang = once


def _watch(interpreter: Any, random: np.random.Generator) -> None:
    builder, executor = interpreter.InterpreterBuilder, interpreter.GridExecutor
    launch, set_dim, set_index = executor.__call__, builder.set_grid_dim, builder.set_grid_idx
    load, store = builder.create_masked_load, builder.create_masked_store
    add = builder.create_atomic_rmw
    now: list[_Launch] = []

    def launched(self: Any, *arguments: Any, **options: Any) -> Any:
        given = (*arguments, *options.values())
        now[:] = [_Launch([value for value in given if isinstance(value, torch.Tensor)])]
        counts["launches"] += 1
        with np.errstate(all="ignore"):  # as on a GPU, where nobody hears of infinities
            return launch(self, *arguments, **options)

    def dimensioned(self: Any, x: int, y: int, z: int) -> None:
        set_dim(self, x, y, z)
        now[0].order = random.permutation(x * y * z)

    def indexed(self: Any, x: int, y: int, z: int) -> None:
        _, ny, nz = self.grid_dim
        place = int(now[0].order[(x * ny + y) * nz + z])
        set_index(self, place // (ny * nz), place // nz % ny, place % nz)

    def loading(self: Any, pointers: Any, mask: Any, *rest: Any, **named: Any) -> Any:
        counts["loads"] += 1
        size = interpreter._get_np_dtype(pointers.get_element_ty()).itemsize
        stored, me = now[0].stored, self.grid_idx
        found = now[0].check(pointers.data, mask.data, size, "load")
        if stored and any(stored.get(at, me) != me for at in found.tolist()):
            raise RuntimeError("a program loads what another one stores")
        now[0].loaded.update(dict.fromkeys(found.tolist(), me))
        return load(self, pointers, mask, *rest, **named)

    def storing(self: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        counts["stores"] += 1
        size = interpreter._get_np_dtype(pointers.get_element_ty()).itemsize
        stored, loaded, me = now[0].stored, now[0].loaded, self.grid_idx
        for at in now[0].check(pointers.data, mask.data, size, "store").tolist():
            if stored.setdefault(at, me) != me:
                raise RuntimeError("two programs store to one address")
            if loaded.get(at, me) != me:
                raise RuntimeError("a program stores what another one loads")
        return store(self, pointers, value, mask, *rest)

    def adding(self: Any, op: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        counts["atomics"] += 1
        size = interpreter._get_np_dtype(pointers.get_element_ty()).itemsize
        now[0].check(pointers.data, mask.data, size, "atomic")
        return add(self, op, pointers, value, mask, *rest)

    executor.__call__ = launched
    builder.set_grid_dim, builder.set_grid_idx = dimensioned, indexed
    builder.create_masked_load, builder.create_masked_store = loading, storing
    builder.create_atomic_rmw = adding

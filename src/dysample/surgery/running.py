"""Run a model on an example without side effects outside of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_map

from dysample.checks import one_line


class ModelError(ValueError):
    """The model does not run on its example.

    Args:
        name: of the model's class.
        mode: in which it ran, "eval" or "training".
        error: what it raised.
    """

    def __init__(self, name: str, mode: str, error: Exception) -> None:
        self.error = error
        self.reason = f"in {mode} mode {name} raises {named(error)}"
        super().__init__(f"`example_inputs` must be what `model` runs on: {self.reason}")


def run_model(model: nn.Module, example_inputs: Any, *, training: bool) -> Any:
    """Return the model's outputs for an example.

    The random numbers of the process and the example stay as they are, and are the same in every
    run; the model is left in the mode in which it ran.

    Args:
        model: any module.
        example_inputs: a tensor or a list, given to the model as its only argument; a tuple of
            positional arguments; or a mapping of keyword arguments.
        training: run in training mode and with gradients, in place of eval mode.

    Raises:
        ModelError: if the model raises; the message holds the model's own.
    """
    model.train() if training else model.eval()  # either may be the model's own
    given = tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else x, example_inputs)
    try:
        with _fixed_random_numbers(model), torch.set_grad_enabled(training):
            if isinstance(given, Mapping):
                return model(**given)
            return model(*given) if isinstance(given, tuple) else model(given)
    except Exception as error:  # whatever a model raises
        mode = "training" if training else "eval"
        raise ModelError(type(model).__name__, mode, error) from error


@contextmanager
def _fixed_random_numbers(model: nn.Module) -> Iterator[None]:
    """Fix the random numbers, so that a model with random depth runs the same layers every time."""
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    state = random.getstate()
    try:
        with torch.random.fork_rng(devices):
            torch.default_generator.manual_seed(0)
            random.seed(0)
            yield
    finally:
        random.setstate(state)


@contextmanager
def left_as_it_is(model: nn.Module) -> Iterator[None]:
    """Restore the model after copies ran, because closures of the copies may refer to it."""
    gradients = [(p, p.grad) for p in model.parameters() if not is_lazy(p)]
    buffers = [
        (b, b.clone())
        for b in model.buffers()
        if b.layout is torch.strided and not (is_lazy(b) or b.is_meta or b.is_inference())
    ]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


def named(error: BaseException) -> str:
    """Return an exception in one line: its type and its message."""
    return f"{type(error).__name__}: {one_line(error)}"

"""What is tried with a model after surgery."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from page import FailedError, tried
from torch import Tensor, nn

from dysample import DySample
from dysample.export import export_onnx
from dysample.export.check import tensors_of
from dysample.surgery import (
    find_sites,
    load_upsamplers,
    replace_upsamplers,
    save_upsamplers,
)

CLOSE = 1e-4
"""Largest difference of two runs of the same numbers, over the largest value."""
Build = Callable[[], tuple[nn.Module, Any]]


class Trial:
    """A model, and its copy with DySample.

    Args:
        build: makes the model and its example, a tensor or a tuple of arguments.
        where: the steps to replace, where surgery leaves all alone by itself.
    """

    COLUMNS = (
        "replaced",
        "differs at first by",
        "gradient",
        "state_dict",
        "save_upsamplers",
        "pickle",
        "compiled",
        "exported",
        "ONNX",
    )

    def __init__(self, build: Build, where: str | None = None) -> None:
        self.build, self.where = build, where
        self.model, self.args = self.built(seed=0)
        self.sites = find_sites(self.model, self.args)
        steps = [site for site in self.sites if site.why_not_features is None]
        self.start = "nearest" if {site.mode for site in steps} == {"nearest"} else "bilinear"
        self.new, self.report = self.operated(self.model)

    def built(self, seed: int) -> tuple[nn.Module, tuple[Any, ...]]:
        torch.manual_seed(seed)
        model, args = self.build()
        args = args if isinstance(args, tuple) else (args,)
        return settled(model, args).eval(), args

    def operated(self, model: nn.Module) -> Any:
        return replace_upsamplers(
            model, "dysample", example_inputs=self.args, where=self.where, start=self.start
        )

    def cells(self) -> list[str]:
        """One for each of `COLUMNS`."""
        cells = [
            f"{len(self.report.replaced)} of {len(self.sites)}",
            tried(self.at_first),
            tried(self.gradient),
        ]
        moved(self.new)
        cells += [self.beside_the_host(self.loaded), tried(self.kept)]
        checks = (self.pickled, self.compiled, self.exported, self.onnx)
        return cells + [self.beside_the_host(check) for check in checks]

    def beside_the_host(self, check: Callable[[nn.Module], str]) -> str:
        """What came of a check; where it failed, whether it does without surgery, too."""
        said = tried(partial(check, self.new))
        if said.startswith("no"):
            alone = tried(partial(check, self.model))
            if alone.startswith("no"):
                return f"nor does the host{alone.removeprefix('no')}"
        return said

    def at_first(self) -> str:
        difference = distance(run(self.new, self.args), run(self.model, self.args))
        if self.report.unchanged and difference > CLOSE:
            raise FailedError(f"{difference:.0e}, but reported as unchanged")
        return as_error(difference)

    def gradient(self) -> str:
        """Whether it reaches every offset, in eval mode and in train mode."""
        for training in (False, True):
            model = copy.deepcopy(self.new).train(training)
            sum(x.square().mean() for x in flat(model(*self.args)) if x.requires_grad).backward()
            for name, up in upsamplers(model):
                if up.offset.weight.grad is None or not up.offset.weight.grad.any():
                    raise FailedError(f"{name} gets none in {'train' if training else 'eval'}")
        return "yes"

    def loaded(self, model: nn.Module) -> str:
        """Whether its weights fit a model that was operated on in the same way."""
        fresh, _ = self.built(seed=1)
        if model is self.new:
            if distance(run(model, self.args), run(self.model, self.args)) < CLOSE:
                raise FailedError("offsets change nothing")
            fresh, _ = self.operated(fresh)
        fresh.load_state_dict(model.state_dict())
        return self.same(fresh, model)

    def kept(self) -> str:
        """Whether the library's own way to save and load, and a file beside it, keep all of it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "upsamplers.pt"
            save_upsamplers(self.new, self.report, path)
            if hasattr(self.new, "save_pretrained"):
                self.new.save_pretrained(folder)
                model = type(self.model).from_pretrained(folder)
            else:
                model, _ = self.built(seed=1)
                model.load_state_dict(self.new.state_dict(), strict=False)
            again, _ = load_upsamplers(model, path, example_inputs=self.args)
        return self.same(again, self.new)

    def pickled(self, model: nn.Module) -> str:
        with tempfile.TemporaryFile() as file:
            torch.save(model, file)
            file.seek(0)
            return self.same(torch.load(file, weights_only=False), model)

    def compiled(self, model: nn.Module) -> str:
        torch._dynamo.reset()
        return self.same(
            torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager"), model
        )

    def exported(self, model: nn.Module) -> str:
        return self.same(torch.export.export(copy.deepcopy(model), self.args).module(), model)

    def onnx(self, model: nn.Module) -> str:
        """Largest error of what onnxruntime gives."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            made = export_onnx(
                model,
                self.args,
                path,
                dynamic=(),
                output_names=[f"output_{i}" for i in range(self.results())],
                verify=[self.args],
            )
        return as_error(max(comparison.error for comparison in made.comparisons))

    def results(self) -> int:
        """Number of tensors that the model returns; diffusers name one as its input."""
        with torch.no_grad():
            return len(tensors_of(self.model(*self.args)))

    def same(self, one: Any, other: Any) -> str:
        difference = distance(run(one, self.args), run(other, self.args))
        if difference > CLOSE:
            raise FailedError(f"differs by {difference:.0e}")
        return "yes"


def settled(model: nn.Module, args: tuple[Any, ...]) -> nn.Module:
    """Normalised by statistics of its own features, which fade away in deep random networks."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if norms:
        for norm in norms:
            norm.momentum = None  # the average of what was seen
        with torch.no_grad():
            model.train()(*args)
    return model


def upsamplers(model: nn.Module) -> list[tuple[str, DySample]]:
    return [(name, up) for name, up in model.named_modules() if isinstance(up, DySample)]


def moved(model: nn.Module) -> None:
    """Move the offsets away from where they start, as training does."""
    for _, up in upsamplers(model):
        nn.init.normal_(up.offset.weight, std=up.in_channels**-0.5)


def run(model: Any, args: tuple[Any, ...]) -> list[Tensor]:
    """All results of a model; what it draws at random is the same in each run."""
    torch.manual_seed(0)
    with torch.no_grad():
        return [x.clone() for x in flat(model(*args))]


def flat(value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from flat(item)
    elif isinstance(value, dict):
        yield from flat(list(value.values()))
    elif hasattr(value, "__dict__"):  # diffusers' distributions
        yield from flat(vars(value))


def distance(some: list[Tensor], others: list[Tensor]) -> float:
    """Largest difference of two runs over the largest value, of the worst result."""
    if [x.shape for x in some] != [x.shape for x in others]:
        raise FailedError("other shapes")
    return max(
        float((x - y).abs().max() / y.abs().max().clamp(min=1e-12)) for x, y in zip(some, others)
    )


def as_error(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"

"""What a benchmark row computes: a function with its inputs, and the passes through it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample import functional
from dysample.nn import DySample, Upsampler
from dysample.ops import backend
from dysample.registry import create_upsampler

FORWARD, BACKWARD, BOTH = "forward", "backward", "forward and backward"


@dataclass(frozen=True)
class Entry:
    """A row: what is built on a workload's input, and the backend that it runs on.

    Attributes:
        name: unique among the rows of a workload.
        build: a module-level function, called with the workload and with `options`.
        options: its keyword arguments.
        backend: "auto" leaves the choice as it is.
        twin: computes what the workload's first row computes, on the same numbers.
    """

    name: str
    build: Callable[..., Case]
    options: dict[str, Any] = field(default_factory=dict)
    backend: str = "auto"
    twin: bool = True

    def running(self) -> AbstractContextManager[None]:
        """Run on the row's backend."""
        return nullcontext() if self.backend == "auto" else backend(self.backend)


@dataclass(frozen=True)
class Workload:
    """An input, the passes through it, and the rows that run on it in turn.

    Attributes:
        suite: the group of workloads that it belongs to.
        name: unique, short, without spaces.
        shape: (B, C, H, W) of the low-res features.
        entries: rows; times of all of them are divided by the first one's.
        dtype: name of a torch dtype.
        channels_last: memory format of the input.
        passes: "forward", "backward" or "forward and backward".
        targets: what the first row is to be faster than, and how many times.
    """

    suite: str
    name: str
    shape: tuple[int, int, int, int]
    entries: tuple[Entry, ...]
    dtype: str = "float32"
    channels_last: bool = False
    passes: str = FORWARD
    targets: dict[str, float] = field(default_factory=dict)

    def tensor(self, channels: int, scale: int = 1) -> Tensor:
        """Random numbers N(0, 1) of so many channels and `scale` times the size."""
        B, _, H, W = self.shape
        values = torch.randn(B, channels, scale * H, scale * W).to(getattr(torch, self.dtype))
        return values.contiguous(memory_format=self.memory_format)

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory format of all its tensors."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


@dataclass(frozen=True)
class Case:
    """A function of tensors; if it is a module, its parameters get gradients too."""

    function: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    cotangent: Tensor | None = None

    def double(self) -> Case:
        """Return the same numbers in float64."""
        function = self.function
        if isinstance(function, nn.Module):
            function = copy.deepcopy(function).double()
        cotangent = None if self.cotangent is None else self.cotangent.double()
        return Case(function, tuple(value.double() for value in self.inputs), cotangent)

    def call(self, passes: str) -> Callable[[], tuple[Tensor, ...]]:
        """Run what is timed; returns the output, the gradients, or both."""
        if passes == FORWARD:

            def forward() -> tuple[Tensor, ...]:
                with torch.no_grad():
                    return (self.function(*self.inputs),)

            return forward
        inputs = [value.detach().requires_grad_() for value in self.inputs]
        wanted = list(inputs)
        if isinstance(self.function, nn.Module):
            wanted += self.function.parameters()
        if passes == BOTH:

            def both() -> tuple[Tensor, ...]:
                out = self.function(*inputs)
                return (out.detach(), *torch.autograd.grad(out, wanted, self.cotangent))

            return both
        out = self.function(*inputs)

        def backward() -> tuple[Tensor, ...]:
            return torch.autograd.grad(out, wanted, self.cotangent, retain_graph=True)

        return backward


def prepare(workload: Workload, entry: Entry) -> Case:
    """An entry's case, with the same random numbers for all entries of a workload."""
    torch.manual_seed(0)
    case = entry.build(workload, **entry.options)
    if workload.passes == FORWARD:
        return case
    with entry.running(), torch.no_grad():
        out = case.function(*case.inputs)
    torch.manual_seed(1)
    cotangent = torch.empty_like(out).copy_(torch.randn(out.shape))
    return Case(case.function, case.inputs, cotangent)


def upsampler(workload: Workload, name: str, **options: Any) -> Case:
    """An upsampler of the registry at scale 2; guides have as many channels as the features."""
    C = workload.shape[1]
    module = create_upsampler(name, C, 2, **options)
    _widen(module)
    module = module.to(getattr(torch, workload.dtype)).train(workload.passes != FORWARD)
    module = module.to(memory_format=workload.memory_format)
    guides = (workload.tensor(C, 2),) if module.guided else ()
    return Case(module, (workload.tensor(C), *guides))


def grid_sample(workload: Workload, name: str, **options: Any) -> Case:
    """Build the published implementation of a `dysample*` upsampler, with the same weights."""
    C = workload.shape[1]
    module = create_upsampler(name, C, 2, **options)
    assert isinstance(module, DySample)
    _widen(module)
    published = GridSample(module).to(getattr(torch, workload.dtype))
    return Case(published.train(workload.passes != FORWARD), (workload.tensor(C),))


def interpolation(workload: Workload, mode: str) -> Case:
    """`torch.nn.Upsample`."""
    return Case(nn.Upsample(scale_factor=2, mode=mode), (workload.tensor(workload.shape[1]),))


def reassembly(workload: Workload, kernel: int) -> Case:
    """`functional.reassemble` with weights given at scale 2."""
    x = workload.tensor(workload.shape[1])
    weight = workload.tensor(kernel**2, 2).softmax(1).unsqueeze(1)
    return Case(functional.reassemble, (x, weight))


def carafe(workload: Workload, kernel: int) -> Case:
    """`functional.carafe`: low-res logits, softmax, reassembly."""
    inputs = workload.tensor(workload.shape[1]), workload.tensor(4 * kernel**2)
    return Case(lambda x, logits: functional.carafe(x, logits, 2, kernel=kernel), inputs)


def affinity(workload: Workload, kernel: int) -> Case:
    """`functional.affinity` of a query with keys of as many channels."""
    inputs = workload.tensor(workload.shape[1], 2), workload.tensor(workload.shape[1])
    return Case(lambda query, key: functional.affinity(query, key, kernel), inputs)


def sapa(workload: Workload, kernel: int, embedding: int) -> Case:
    """`functional.sapa`: affinity, softmax, reassembly."""
    inputs = (
        workload.tensor(workload.shape[1]),
        workload.tensor(embedding, 2) / embedding**0.5,
        workload.tensor(embedding),
    )
    return Case(lambda x, q, k: functional.sapa(x, q, k, kernel=kernel), inputs)


def read_and_write(read: int, written: int) -> Callable[[], None]:
    """Move that many bytes and do nothing else: the least cost of the passes' memory traffic.

    Bytes are copied as far as there are both; the rest is written, or read by a sum. The result
    lies in memory already, so that no page is fetched from the system.
    """
    source, target = torch.ones(read // 4), torch.ones(written // 4)
    both = min(len(source), len(target))

    def move() -> None:
        target[:both].copy_(source[:both])
        if both < len(target):
            target[both:].fill_(1)
        else:
            source[both:].sum()

    return move


def _widen(module: Upsampler) -> None:
    """Move the sampling points, which start at regular positions, by a fraction of a pixel."""
    if isinstance(module, DySample):
        nn.init.normal_(module.offset.weight, std=0.01)
        if module.dyscope:
            nn.init.normal_(module.scope.weight, std=0.01)


class GridSample(nn.Module):
    """DySample at a whole scale as published, in torch's operations.

    A 1x1 convolution gives offsets; positions are made from them and normalised to -1..1, all in
    the dtype of x; both are shuffled to high resolution, and `grid_sample` reads the features in
    plain memory format, group by group.

    Args:
        up: its convolutions and its variant are used.
    """

    def __init__(self, up: DySample) -> None:
        super().__init__()
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, s H, s W)."""
        x = x.contiguous()
        s, groups = self.up.ceil_scale, self.up.groups
        B, C, H, W = x.shape
        positions = self._offsets(x).view(B, 2, groups * s * s, H, W) + _centres(x)
        extent = torch.tensor([W, H], dtype=x.dtype).view(1, 2, 1, 1, 1)
        grid = (2 * positions / extent - 1).view(B, -1, H, W)
        grid = F.pixel_shuffle(grid, s).view(B, 2, groups, s * H, s * W)
        grid = grid.permute(0, 2, 3, 4, 1).reshape(B * groups, s * H, s * W, 2)
        flat = x.view(B * groups, C // groups, H, W)
        out = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return out.view(B, C, s * H, s * W)

    def _offsets(self, x: Tensor) -> Tensor:
        """Return offsets from the low-res pixels' centres, (B, 2 G s^2, H, W), x before y."""
        up = self.up
        source = F.pixel_shuffle(x, up.ceil_scale) if up.style == "pl" else x
        offset: Tensor = up.offset(source)
        if up.dyscope:
            offset = offset * (up.scope(source).sigmoid() * (2 * up.scope_factor))
        else:
            offset = offset * up.scope_factor
        if up.style == "pl":
            offset = F.pixel_unshuffle(offset, up.ceil_scale)
        part = (
            torch.arange(up.ceil_scale, dtype=x.dtype) - (up.ceil_scale - 1) / 2
        ) / up.ceil_scale
        along_y, along_x = torch.meshgrid(part, part, indexing="ij")
        regular = torch.stack((along_x, along_y)).view(2, 1, -1).expand(2, up.groups, -1)
        return offset + regular.reshape(1, -1, 1, 1)


def _centres(x: Tensor) -> Tensor:
    """Return the centres of the low-res pixels (1, 2, 1, H, W), the first at 0.5."""
    H, W = x.shape[-2:]
    rows, columns = (torch.arange(length, dtype=x.dtype) + 0.5 for length in (H, W))
    along_y, along_x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((along_x, along_y)).view(1, 2, 1, H, W)

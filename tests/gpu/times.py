"""Rows that measure: the bench's workloads, training steps, and a copy as the floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dysample
from dysample.workbench.bench.cases import BOTH, Entry, Workload, prepare, upsampler
from dysample.workbench.bench.workloads import INTERPOLATION, select
from dysample.workbench.models.segformer_head import UPSAMPLERS, SegFormerHead

Row = dict[str, Any]
FADE = Workload(
    "kernels", "fade", (1, 256, 120, 120), (Entry("fade", upsampler, {"name": "fade"}),)
)


def rows(tiny: bool) -> Iterator[tuple[str, Callable[[], Row]]]:
    """The copy, then DySample, then the window kernels, then training."""
    if not tiny:
        yield "copy of 1 GiB", copy
    for workload in workloads():
        if tiny:
            workload = replace(workload, shape=(1, 8, 3, 4))
        for entry in workload.entries:
            yield f"{workload.name} {entry.name}", lambda w=workload, e=entry: one(w, e, tiny)
            if entry.name == "published" and not tiny:
                name = f"{workload.name} published, compiled"
                yield name, lambda w=workload, e=entry: one(w, e, tiny, torch.compile)
    for name in ("dysample", "carafe", "bilinear"):
        for backend in ("auto", "eager"):
            if name != "bilinear" or backend == "auto":
                for build in (segformer_b1, pyramid):
                    title = f"training step, {build.__name__}, {name}, {backend}"
                    yield title, lambda b=build, n=name, k=backend: step(b, n, k, tiny)


def workloads() -> Iterator[Workload]:
    """W1 to W6, W1 in float16 in both layouts, and those of the kernels."""
    paper = select("paper", "*")
    yield from paper
    for last in (False, True):
        name = f"W1-float16-{'NHWC' if last else 'NCHW'}"
        entries = (*paper[0].entries[:3], *INTERPOLATION)
        yield replace(paper[0], name=name, dtype="float16", channels_last=last, entries=entries)
    yield from select("kernels", "*")
    yield FADE
    yield replace(FADE, name="fade-backward", passes=BOTH)


def copy() -> Row:
    """Time a copy, whose bytes a second no kernel exceeds."""
    source = torch.empty(2**28)
    target = torch.empty_like(source)
    return timed(lambda: target.copy_(source), moved=2 * source.nbytes)


def one(
    workload: Workload, entry: Entry, tiny: bool, wrap: Callable[..., Any] | None = None
) -> Row:
    """A row of the bench."""
    with entry.running():
        case = prepare(workload, entry)
        if wrap is not None:
            case = replace(case, function=wrap(case.function))
        call = case.call(workload.passes)
        with dysample.ops.recorded() as choices:
            call()
        found = {"backends": sorted({choice.backend for choice in choices})}
        return {**found, "ms": None} if tiny else {**timed(call), **found}


def timed(call: Callable[[], Any], moved: int | None = None) -> Row:
    """Median milliseconds, alone and replayed from a graph, and what was allocated meanwhile."""
    import triton

    call()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    row: Row = {"peak_bytes": torch.cuda.max_memory_allocated() - before}
    row["ms"] = triton.testing.do_bench(call, warmup=25, rep=100, return_mode="median")
    try:
        row["graph_ms"] = triton.testing.do_bench_cudagraph(call, rep=50, return_mode="median")
    except Exception:  # what synchronises cannot be captured
        row["graph_ms"] = None
    if moved is not None:
        row["TB_a_second"] = moved / row["ms"] / 1e9
    return row


def segformer_b1(name: str, tiny: bool) -> tuple[nn.Module, list[Tensor]]:
    """SegFormer-B1's head with upsamplers, on features of a 512 x 512 image."""
    channels, width, side = ((4, 4, 4, 4), 8, 8) if tiny else ((64, 128, 320, 512), 256, 128)
    ups = [dysample.create_upsampler(name, width, 2) for _ in range(UPSAMPLERS)]
    head = SegFormerHead(channels, width, 19, ups, skip=True)
    B = 1 if tiny else 4
    return head, [torch.randn(B, c, side >> i, side >> i) for i, c in enumerate(channels)]


class Pyramid(nn.Module):
    """A feature pyramid whose coarser maps climb by upsamplers."""

    def __init__(self, name: str, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.ups = nn.ModuleList(dysample.create_upsampler(name, width, 2) for _ in channels[1:])

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Means of the levels."""
        levels = [lateral(x) for lateral, x in zip(self.lateral, maps)]
        for i in range(len(self.ups) - 1, -1, -1):
            size = (levels[i].shape[2], levels[i].shape[3])
            levels[i] = levels[i] + self.ups[i](levels[i + 1], size=size)
        return torch.stack([smooth(x).mean() for smooth, x in zip(self.smooth, levels)])


def pyramid(name: str, tiny: bool) -> tuple[nn.Module, list[Tensor]]:
    """A pyramid on a ResNet-50's features of two images of 800 x 800 pixels."""
    channels, width, side = ((4, 4, 4), 8, 8) if tiny else ((256, 512, 1024), 256, 200)
    B = 1 if tiny else 2
    maps = [torch.randn(B, c, side >> i, side >> i) for i, c in enumerate(channels)]
    return Pyramid(name, channels, width), maps


def step(build: Callable[..., Any], name: str, backend: str, tiny: bool) -> Row:
    """Forward, backward and an SGD step, under autocast to bfloat16."""
    torch.manual_seed(0)
    model, maps = build(name, tiny)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)

    def run() -> None:
        optimiser.zero_grad()
        with torch.autocast(maps[0].device.type, dtype=torch.bfloat16):
            out = model(maps)
        F.mse_loss(out.float(), torch.zeros_like(out, dtype=torch.float32)).backward()
        optimiser.step()

    with dysample.backend(backend):
        run()
        return {"ms": None} if tiny else timed(run)

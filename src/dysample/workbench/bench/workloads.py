"""The workloads of the benchmark, their rows, and the targets of the CPU kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from dysample.registry import list_upsamplers
from dysample.workbench.bench.cases import (
    BACKWARD,
    BOTH,
    Entry,
    Workload,
    affinity,
    carafe,
    grid_sample,
    interpolation,
    reassembly,
    sapa,
    upsampler,
)

PAPER = (1, 256, 120, 120)
"""Features of the latency figure of the DySample paper."""

INTERPOLATION = (
    Entry("bilinear", interpolation, {"mode": "bilinear"}, twin=False),
    Entry("nearest", interpolation, {"mode": "nearest"}, twin=False),
)


def _rivals(name: str, **options: Any) -> tuple[Entry, ...]:
    """Return the rows for a DySample: ours, the published implementation, plain torch."""
    options = {"name": name, **options}
    return (
        Entry(name, upsampler, options),
        Entry("published", grid_sample, options),
        Entry("eager", upsampler, options, backend="eager"),
    )


def _operation(name: str, build: Any, **options: Any) -> tuple[Entry, ...]:
    """Return the rows for a function: ours, and k^2 shifted products in plain torch."""
    return (
        Entry(name, build, options),
        Entry("eager", build, options, backend="eager"),
    )


_DYSAMPLE = _rivals("dysample")

_PAPER = (
    Workload(
        "paper",
        "W1",
        PAPER,
        (*_DYSAMPLE, *INTERPOLATION),
        targets={"published": 4.5, "bilinear": 3},
    ),
    Workload("paper", "W2", PAPER, _rivals("dysample_plus"), targets={"published": 3.5}),
    Workload("paper", "W3", PAPER, _rivals("dysample_s", groups=4), targets={"published": 5.5}),
    Workload("paper", "W4", (2, 256, 64, 64), _DYSAMPLE, passes=BOTH, targets={"published": 3.5}),
    Workload(
        "paper",
        "W5",
        PAPER,
        (*_DYSAMPLE, *INTERPOLATION),
        channels_last=True,
        targets={"published": 4.5, "bilinear": 0.5},
    ),
    Workload("paper", "W6", PAPER, _DYSAMPLE, dtype="bfloat16", targets={"published": 10}),
)

_REASSEMBLE = Workload(
    "kernels",
    "reassemble",
    PAPER,
    _operation("reassemble", reassembly, kernel=5),
    targets={"eager": 13},
)
_CARAFE = Workload("kernels", "carafe", PAPER, _operation("carafe", carafe, kernel=5))
_AFFINITY = Workload(
    "kernels",
    "affinity",
    (1, 32, 120, 120),
    _operation("affinity", affinity, kernel=5),
    targets={"eager": 8},
)
_SAPA = Workload("kernels", "sapa", PAPER, _operation("sapa", sapa, kernel=5, embedding=32))


def _back(workload: Workload, **targets: float) -> Workload:
    return replace(
        workload, name=f"{workload.name}-backward", passes=BACKWARD, targets=dict(targets)
    )


_KERNELS = (
    _REASSEMBLE,
    _back(_REASSEMBLE, eager=5),
    _CARAFE,
    _back(_CARAFE),
    _AFFINITY,
    _back(_AFFINITY, eager=5),
    _SAPA,
    _back(_SAPA),
)

_SMALL = tuple(
    Workload("small", f"small-{shape[2]}", shape, (*_DYSAMPLE, *INTERPOLATION))
    for shape in ((1, 64, 16, 16), (1, 256, 32, 32))
)

# 32 channels: at 1024 pixels a result has 512 MiB, and float64 twice as much.
_SWEEP = tuple(
    Workload("sweep", f"sweep-{side}", (1, 32, side, side), (*_DYSAMPLE[:2], *INTERPOLATION[:1]))
    for side in (32, 64, 128, 256, 512, 1024)
)


def _names() -> list[str]:
    """Return all upsamplers, bilinear first; the design steps cost as much as DySample."""
    names = [name for name in list_upsamplers() if not name.startswith("dysample_step_")]
    return sorted(names, key=lambda name: name != "bilinear")


def _upsamplers(name: str, shape: Sequence[int] = PAPER, **changes: Any) -> Workload:
    B, C, H, W = shape
    entries = tuple(Entry(n, upsampler, {"name": n}, twin=False) for n in _names())
    return Workload("upsamplers", name, (B, C, H, W), entries, **changes)


_ALL = _upsamplers("upsamplers")
_UPSAMPLERS = (
    _ALL,
    replace(
        _ALL,
        name="upsamplers-eager",
        entries=tuple(replace(entry, backend="eager") for entry in _ALL.entries),
    ),
    _upsamplers("upsamplers-channels_last", channels_last=True),
    _upsamplers("upsamplers-bfloat16", dtype="bfloat16"),
    _upsamplers("upsamplers-backward", (2, 256, 64, 64), passes=BOTH),
    _upsamplers("upsamplers-small", (1, 64, 16, 16)),
)

WORKLOADS = (*_PAPER, *_KERNELS, *_SMALL, *_SWEEP, *_UPSAMPLERS)

SUITES = ("all", *dict.fromkeys(workload.suite for workload in WORKLOADS))


def select(suite: str, only: str) -> list[Workload]:
    """Return the workloads of a suite with the selected rows and the first one, their reference.

    Args:
        suite: one of `SUITES`.
        only: shell-style pattern of "WORKLOAD" or "WORKLOAD/ROW".

    Raises:
        ValueError: if there is no such suite, or nothing in it matches.
    """
    if suite not in SUITES:
        raise ValueError(f"`suite` (={suite!r}) must be one of {', '.join(SUITES)}")
    chosen = []
    for workload in WORKLOADS:
        if suite not in ("all", workload.suite):
            continue
        rows = [e for e in workload.entries if fnmatchcase(f"{workload.name}/{e.name}", only)]
        if fnmatchcase(workload.name, only):
            chosen.append(workload)
        elif rows:
            first = workload.entries[0]
            others = tuple(entry for entry in rows if entry is not first)
            chosen.append(replace(workload, entries=(first, *others)))
    if not chosen:
        known = ", ".join(w.name for w in WORKLOADS if suite in ("all", w.suite))
        raise ValueError(
            f"`only` (={only!r}) must match a workload, or a row as WORKLOAD/ROW: {known}"
        )
    return chosen

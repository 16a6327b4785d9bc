"""Made-up results of all tasks, as a long comparison leaves them: parts, curves, ablations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dysample.registry import get_entry, list_upsamplers

CLASSES = ["floor", "wall", "ceiling", "box", "ball", "cylinder", "pole", "fence"]

# Of each task: main measures with bilinear's level, which of them are better when lower, further
# measures, and the measure by class.
TASKS: dict[str, tuple[dict[str, float], tuple[str, ...], tuple[str, ...], str | None]] = {
    "semantic": ({"miou": 0.62, "boundary_iou": 0.25}, (), (), "class_iou"),
    "detection": ({"ap": 0.29, "ap50": 0.57}, (), ("ap75", "ap_small"), "class_ap"),
    "instance": ({"mask_ap": 0.22, "mask_ap50": 0.43}, (), ("box_ap",), "class_mask_ap"),
    "panoptic": ({"pq": 0.57, "sq": 0.72}, (), ("rq", "pq_things"), "class_pq"),
    "depth": ({"abs_rel": 0.128, "delta1": 0.89}, ("abs_rel", "rmse"), ("rmse",), None),
}

ABLATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((f"dysample_step_{step}", {}) for step in range(5)),
    *(("dysample", {"scope_factor": factor}) for factor in (0.1, 0.5, 1.0)),
    *(("dysample", {"groups": groups}) for groups in (1, 2, 8, 16)),
)


def made_run(
    task: str,
    upsampler: str,
    seed: int,
    head: str | None = "plain",
    options: dict[str, Any] | None = None,
    classes: Sequence[str] = CLASSES,
) -> dict[str, Any]:
    """One line of a result file; the noise of a seed and of the images is shared by its runs."""
    main, lower, further, by_class = TASKS[task]
    options = options or {}
    identity = f"{task} {upsampler} {options} {seed} {head}"
    digest = hashlib.sha256(identity.encode()).hexdigest()
    of_upsampler = np.random.default_rng(sum(f"{upsampler}{options}".encode()))
    gain = 0.0 if upsampler == "bilinear" else of_upsampler.normal(0.02, 0.02)
    gain *= 0.2 if head == "skip" else 1.0
    of_seed, own = np.random.default_rng(seed), np.random.default_rng(int(digest[:8], 16))
    metrics: dict[str, Any] = {}
    parts: dict[str, list[float | None]] = {}
    for key, level in main.items():
        side = -1 if key in lower else 1
        value = level + side * gain + of_seed.normal(0, 0.005) + own.normal(0, 0.002)
        images = np.random.default_rng(7).normal(0, 0.03, 10) + own.normal(0, 0.004, 10)
        metrics[key] = value
        parts[key] = [round(float(value + shift), 5) for shift in images]
    metrics |= {key: 0.3 + own.normal(0, 0.01) for key in further}
    if by_class is not None:
        values = of_seed.uniform(0.1, 0.9, len(classes)) + own.normal(gain, 0.01, len(classes))
        metrics[by_class] = dict(zip(classes, values.tolist()))
    steps = np.arange(6, 301, 6)
    loss = 1.5 * np.exp(-steps / 80) + 0.4 - gain + own.normal(0, 0.02, len(steps))
    measures = {
        key: {
            "name": {"miou": "mIoU", "boundary_iou": "boundary IoU", "abs_rel": "AbsRel"}.get(
                key, key.replace("_", " ")
            ),
            "short": key.replace("_", " "),
            "higher_is_better": key not in lower,
        }
        for key in (*main, *further)
    }
    size = 64 if task in ("semantic", "depth") else 96
    cost = 10 ** of_upsampler.uniform(3, 5.5)
    fixed = upsampler in ("nearest", "bilinear")
    settings = {"steps": 300, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 0.01}
    settings |= {"model": "small", "encoder": "conv", "weights": None, "width": 32, "size": size}
    return {
        "version": 1,
        "run": digest[:12],
        "task": task,
        "data": {"name": "scenes", "train": 2000, "val": 400, "height": size, "width": size}
        | {"classes": list(classes), "scenes_seed": 0, "renderer": 1},
        "upsampler": upsampler,
        "upsampler_options": options,
        "guided": get_entry(upsampler).guided if upsampler in list_upsamplers() else False,
        "seed": seed,
        "settings": settings | ({} if head is None else {"head": head}),
        "training": {"devices": 1},
        "metrics": metrics,
        "parts": parts,
        "curve": {"step": steps.tolist(), "loss": loss.tolist()},
        "measures": measures,
        "parameters": {"total": 430_440 + int(cost), "upsamplers": 0 if fixed else int(cost)},
        "macs": {
            "total": 24_000_000 + int(300 * cost),
            "upsamplers": 0 if upsampler == "nearest" else 467_000 if fixed else int(300 * cost),
        },
        "seconds": {"train": 30.0 + seed, "evaluate": 1.0},
        "versions": {"dysample": "0.1.0", "torch": "2.14.1", "python": "3.11.7"},
        "machine": {"cpu": "Some Processor", "threads": 1},
        "finished": f"2026-11-22T14:{seed:02d}:00+00:00",
        "samples": [],
    }


def made_trial(run: dict[str, Any], scale: float, value: float | None) -> dict[str, Any]:
    """A trial of a run's learning rate, with a value of its leading measure."""
    train = run["data"]["train"]
    held = -(-train // 5)
    return run | {
        "run": hashlib.sha256(f"{run['run']} {scale}".encode()).hexdigest()[:12],
        "data": {**run["data"], "train": train - held, "val": held},
        "settings": {**run["settings"], "rate_scale": scale, "held_out": True},
        "metrics": {**run["metrics"], next(iter(run["measures"])): value},
    }


def tuned_runs(
    task: str,
    tried: Mapping[str, Mapping[float, float | None]],
    chosen: Mapping[str, float],
    seeds: int = 1,
    head: str | None = "plain",
) -> list[dict[str, Any]]:
    """Lines as `compare --tune` leaves them: trials, then the runs at a scale.

    Args:
        task: of all.
        tried: the leading measure of the trials, by upsampler and scale.
        chosen: the scale of the runs, of the upsamplers that have any.
        seeds: of the runs.
        head: of the model.
    """
    runs = [
        made_trial(made_run(task, name, 0, head), scale, value)
        for name, by_scale in tried.items()
        for scale, value in by_scale.items()
    ]
    for name, scale in chosen.items():
        for seed in range(seeds):
            run = made_run(task, name, seed, head)
            digest = hashlib.sha256(f"{run['run']} tuned {scale}".encode()).hexdigest()
            settings = {**run["settings"], "rate_scale": scale}
            runs.append(run | {"run": digest[:12], "settings": settings})
    return runs


def evidence_runs() -> Iterator[dict[str, Any]]:
    """Some 480 runs: five tasks, every upsampler, both heads, and the ablations on one."""
    names = [name for name in list_upsamplers() if not name.startswith("dysample_step")]
    for task in TASKS:
        for head in ("plain", "skip") if task in ("semantic", "depth") else (None,):
            for name in names:
                for seed in range(5 if "sample" in name or name in ("bilinear", "carafe") else 3):
                    yield made_run(task, name, seed, head)
    for name, options in ABLATIONS:
        for seed in range(3):
            yield made_run("semantic", name, seed, "plain", options)


def write_runs(path: Path, runs: Sequence[dict[str, Any]]) -> Path:
    """A result file."""
    path.write_text("".join(json.dumps(run) + "\n" for run in runs), encoding="utf-8")
    return path

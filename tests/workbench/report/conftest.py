"""Made-up results: scenes of boxes and thin poles, predictions that fail at boundaries."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.record import read_records
from dysample.workbench.report.page.compared import Family, compare
from dysample.workbench.report.summary import summarise
from support.made_results import write_runs

CLASSES = ["floor", "wall", "ceiling", "box", "ball", "cylinder", "pole", "fence"]

# upsampler: (mIoU, boundary IoU, parameters, share of boundary pixels shifted, samples points)
UPSAMPLERS = {
    "nearest": (0.664, 0.335, 0, 0.75, False),
    "bilinear": (0.690, 0.405, 0, 0.55, False),
    "carafe": (0.705, 0.437, 74_400, 0.4, False),
    "dysample": (0.705, 0.438, 12_480, 0.4, True),
    "dysample_s_plus": (0.699, 0.424, 8_320, 0.45, True),
}


def png(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def scene(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours (H, W, 3) and labels (H, W); a strip of ignored pixels at the right border."""
    label = np.full((height, width), 1, np.uint8)
    label[: height // 5] = 2
    label[height * 6 // 10 :] = 0
    y, x = np.mgrid[:height, :width]
    for kind in (3, 5, 3):
        top, left = rng.integers(height // 3, height // 2), rng.integers(0, width * 3 // 4)
        label[top : top + height // 3, left : left + width // 5] = kind
    cy, cx, radius = rng.integers(height // 3, height), rng.integers(0, width), height / 8
    label[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = 4
    for _ in range(2):
        label[height // 8 : height * 3 // 4, rng.integers(2, width - 4)] = 6
    left, top = rng.integers(0, width * 2 // 3), height * 9 // 20
    fence = label[top : top + height // 4, left : left + width // 4]
    fence[:, ::3] = 7
    fence[::6] = 7
    label[:, width - 2 :] = 255
    base = rng.integers(60, 200, (256, 3))
    image = base[label] * (0.7 + 0.3 * ((x // 4 + y // 4) % 2))[..., None]
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8), label


def predicted(label: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The labels with patches moved by a pixel or two, so that they are wrong at boundaries."""
    H, W = label.shape
    coarse = rng.random((H // 4 + 1, W // 4 + 1)) < share
    moved = np.kron(coarse, np.ones((4, 4), bool))[:H, :W]
    shifted = np.roll(label, rng.choice([-2, -1, 1, 2], 2), axis=(0, 1))
    shifted[shifted == 255] = 1
    return np.where(moved, shifted, np.where(label == 255, 1, label)).astype(np.uint8)


def sampling(height: int, width: int, groups: int, rng: np.random.Generator) -> dict[str, Any]:
    """Regular 2x positions plus smooth offsets."""
    y, x = np.mgrid[: 2 * height, : 2 * width]
    positions = np.empty((groups, 2, 2 * height, 2 * width))
    for group in range(groups):
        phase = rng.uniform(0, 6.28, 4)
        dx = 0.5 * np.sin(x / 5 + phase[0]) * np.cos(y / 7 + phase[1])
        dy = 0.5 * np.cos(x / 6 + phase[2]) * np.sin(y / 5 + phase[3])
        positions[group] = (x + 0.5) / 2 - 0.5 + dx, (y + 0.5) / 2 - 0.5 + dy
    stored = np.round(positions * 256).astype("<i2")
    return {
        "height": height,
        "width": width,
        "out_height": 2 * height,
        "out_width": 2 * width,
        "groups": groups,
        "positions": base64.b64encode(stored.tobytes()).decode(),
    }


def make_entry(
    upsampler: str = "dysample",
    seed: int = 0,
    *,
    head: str = "plain",
    size: tuple[int, int] = (64, 64),
    frames: int = 3,
    guided: bool = False,
    miou: float | None = None,
    boundary_iou: float | None = None,
    data: str = "scenes",
) -> dict[str, Any]:
    """One line of a result file, as a dictionary."""
    H, W = size
    usual = UPSAMPLERS.get(upsampler, (0.7, 0.42, 30_000, 0.4, upsampler.startswith("dys")))
    identity = f"{upsampler} {seed} {head} {size} {data}"
    rng = np.random.default_rng(int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16))
    noise = np.random.default_rng(seed).normal(0, 0.004)  # shared by a pair
    damp = 1.0 if head == "plain" else 0.1
    samples = []
    for index in range(frames):
        image, label = scene(np.random.default_rng(100 + index), H, W)
        samples.append(
            {
                "index": index,
                "image": png(image),
                "label": png(label),
                "prediction": png(predicted(label, usual[3], rng)),
                "sampling": sampling(H // 4, W // 4, 4, rng) if usual[4] else None,
            }
        )
    if miou is None:
        miou = 0.69 + damp * (usual[0] - 0.69) + noise + rng.normal(0, 0.001)
    if boundary_iou is None:
        boundary_iou = 0.405 + damp * (usual[1] - 0.405) + noise + rng.normal(0, 0.001)
    return {
        "version": 1,
        "run": hashlib.sha256(identity.encode()).hexdigest()[:12],
        "task": "semantic",
        "data": {"name": data, "train": 2000, "val": 400, "height": H, "width": W}
        | {"classes": CLASSES, "scenes_seed": 0, "renderer": 1},
        "upsampler": upsampler,
        "upsampler_options": {},
        "guided": guided,
        "seed": seed,
        "settings": {"head": head, "steps": 400, "batch_size": 16, "learning_rate": 0.01}
        | {"weight_decay": 0.01, "width": 32},
        "training": {"devices": 1},
        "metrics": {
            "miou": miou,
            "boundary_iou": boundary_iou,
            "class_iou": {name: None if name == "ball" else 0.7 for name in CLASSES},
        },
        "parts": {},
        "curve": {"step": [], "loss": []},
        "measures": {
            "miou": {"name": "mIoU", "short": "mIoU", "higher_is_better": True},
            "boundary_iou": {
                "name": "boundary IoU",
                "short": "bound. IoU",
                "higher_is_better": True,
            },
        },
        "parameters": {"total": 500_000 + usual[2], "upsamplers": usual[2]},
        "macs": {"total": 123_456_789 + 300 * usual[2], "upsamplers": 300 * usual[2]},
        "seconds": {"train": 15 + usual[2] / 4000 + rng.random(), "evaluate": 0.8},
        "versions": {"dysample": "0.1.0", "torch": "2.14.1", "python": "3.11.7"},
        "machine": {"cpu": "Some Processor", "threads": 1},
        "finished": "2026-11-22T14:00:00+00:00",
        "samples": samples,
    }


def make_depth_entry(
    upsampler: str = "dysample", seed: int = 0, abs_rel: float = 0.14, **changes: Any
) -> dict[str, Any]:
    """One line of a task whose first measure is better when lower, and that shows no frames."""
    line = make_entry(upsampler, seed, frames=0, **changes)
    measures = {
        "abs_rel": {"name": "AbsRel", "short": "AbsRel", "higher_is_better": False},
        "delta1": {"name": "delta1", "short": "delta1", "higher_is_better": True},
        "rmse": {"name": "RMSE", "short": "RMSE", "higher_is_better": False},
        "ap_small": {"name": "AP small", "short": "AP small", "higher_is_better": True},
    }
    metrics = {"abs_rel": abs_rel, "delta1": 0.8, "rmse": 4 * abs_rel, "ap_small": None}
    return line | {
        "run": "d" + line["run"][1:],
        "task": "depth",
        "measures": measures,
        "metrics": metrics,
    }


@pytest.fixture
def depth_entry() -> Callable[..., dict[str, Any]]:
    return make_depth_entry


@pytest.fixture
def entry() -> Callable[..., dict[str, Any]]:
    return make_entry


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[dict[str, Any]]], Path]:
    """Writes a result file."""

    def write_lines(entries: list[dict[str, Any]]) -> Path:
        path = tmp_path / "results.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in entries), encoding="utf-8")
        return path

    return write_lines


@pytest.fixture
def families(tmp_path: Path) -> Callable[..., list[Family]]:
    """Families of a result file with these lines."""

    def build(runs: list[dict]) -> list[Family]:
        groups = summarise(read_records(write_runs(tmp_path / "results.jsonl", runs)))
        return compare(groups, [[] for _ in groups])

    return build

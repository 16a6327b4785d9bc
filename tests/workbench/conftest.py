"""Data sets of a few small images, made on the spot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.settings import Settings, settings_for

TINY = {
    "size": 32,
    "steps": 6,
    "batch_size": 3,
    "width": 16,
    "train_frames": 5,
    "val_frames": 4,
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Scenes are rendered into the session's folder, not into the user's.
    folder = tmp_path_factory.getbasetemp() / "scenes"
    monkeypatch.setenv("DYSAMPLE_CACHE", str(folder))


@pytest.fixture
def tiny() -> Callable[..., Settings]:
    return lambda data="scenes", task="semantic", **changes: settings_for(
        task, data, **{**TINY, **changes}
    )


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Five training and four validation images, 80x60, every class and void in each."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 5), ("val", 4)):
        images, annotations = tmp_path / "cv" / split, tmp_path / "cv" / f"{split}annot"
        images.mkdir(parents=True)
        annotations.mkdir()
        for i in range(count):
            label = np.repeat(np.arange(12, dtype=np.uint8), 5)[:, None].repeat(80, axis=1)
            image = np.stack([20 * label] * 3, axis=-1) + rng.integers(0, 9, (60, 80, 3))
            suffix = "png" if i % 2 else "jpg"
            Image.fromarray(image.astype(np.uint8)).save(images / f"f{i}.{suffix}")
            Image.fromarray(label).save(annotations / f"f{i}.png")
    return tmp_path / "cv"

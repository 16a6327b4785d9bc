"""Tiny trainings to look at, done once."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from support.look_runs import train

TRAINED = ("nearest", "bilinear", "dysample", "carafe")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: Any) -> Path:
    return tmp_path_factory.getbasetemp() / "scenes"


@pytest.fixture(autouse=True)
def _own_cache(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYSAMPLE_CACHE", str(scenes))


@pytest.fixture(scope="session")
def compared(tmp_path_factory: Any, scenes: Path) -> Path:
    """The output folder of a comparison of `TRAINED`."""
    output = tmp_path_factory.mktemp("compared")
    with patch.dict(os.environ, DYSAMPLE_CACHE=str(scenes)):
        for upsampler in TRAINED:
            train(output, upsampler)
    return output


@pytest.fixture
def run_of(compared: Path) -> Any:
    """The run's folder of an upsampler."""
    return lambda name: next((compared / "runs").glob(f"semantic-{name}-seed0-*"))


@pytest.fixture(scope="module")
def loops_end() -> Iterator[None]:
    """Gradio closes none of its event loops: the last end here, not in a test of another file."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()

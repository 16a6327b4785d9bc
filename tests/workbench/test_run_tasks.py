"""Every task through one run: recorded, interrupted, and repeated."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dysample.workbench.callbacks import Progress
from dysample.workbench.run import run_task
from dysample.workbench.settings import TASKS
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.training import TrainingOptions

OTHERS = [name for name in TASKS if name != "semantic"]
STABLE = ("run", "task", "data", "metrics", "measures", "parameters", "macs", "samples")


class KilledError(Exception):
    """Stands for the end of the process."""


def _kill(step: int, steps: int) -> None:
    if step == 3:
        raise KilledError


@pytest.mark.parametrize("name", OTHERS)
def test_a_killed_run_goes_on_and_ends_the_same(name: str, tiny: Callable, tmp_path: Path) -> None:
    settings = tiny(task=name, size=48, steps=4)
    arguments = (name, "dysample", 0, "scenes", settings)
    often = TrainingOptions(accelerator="cpu", checkpoint_every=2)
    record = run_task(*arguments, tmp_path / "whole", training=often)
    assert json.loads(json.dumps(record, allow_nan=False)) == record

    kind = task_class(name)
    assert list(record["measures"]) == list(kind.measures)
    main = list(record["measures"])[:2]
    assert all(isinstance(record["metrics"][key], float) for key in main)
    assert record["measures"].keys() <= record["metrics"].keys()
    assert record["macs"]["upsamplers"] > 0
    assert record["parameters"]["upsamplers"] > 0
    assert len(record["samples"]) == (3 if kind.predicts_classes else 0)

    with pytest.raises(KilledError):
        run_task(*arguments, tmp_path / "killed", training=often, callbacks=[Progress(_kill)])
    resumed = run_task(*arguments, tmp_path / "killed", training=often)
    assert {key: resumed[key] for key in STABLE} == {key: record[key] for key in STABLE}


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_costs_no_training(name: str, tiny: Callable, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`data` \(='camvid:/x'\) must be 'scenes'"):
        run_task(name, "nearest", 0, "camvid:/x", tiny(task=name), tmp_path)
    assert not list(tmp_path.iterdir())

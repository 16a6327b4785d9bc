import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dysample import registry
from dysample.nn import Guided
from dysample.workbench.record import parse_record
from dysample.workbench.tasks.semantic import SemanticTask
from dysample.workbench.training.callbacks import StepReporter
from dysample.workbench.training.run import run_task
from dysample.workbench.training.samples import choose_frames
from support.specs import spec_of

STABLE = (
    "version", "run", "task", "data", "upsampler", "settings", "metrics", "parts", "curve", "macs",
    "samples",
)  # fmt: skip


class KilledError(Exception):
    """Stands for the end of the process."""


def _kill_at(step: int) -> Callable[[int, int], None]:
    def tell(now: int, steps: int) -> None:
        if now == step:
            raise KilledError

    return tell


def _picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_record(tiny: Callable, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    told: list[tuple[int, int]] = []
    settings = tiny()
    spec = spec_of(settings, seed=2)
    reporter = StepReporter(lambda *step: told.append(step))
    record = run_task(spec, tmp_path, callbacks=[reporter]).to_line()
    assert parse_record(json.loads(json.dumps(record, allow_nan=False)), "").to_line() == record
    assert list(record) == [
        "version", "run", "task", "data", "upsampler", "upsampler_options", "guided", "seed",
        "settings", "training", "metrics", "parts", "curve", "measures", "parameters", "macs",
        "seconds", "versions", "machine", "finished", "samples",
    ]  # fmt: skip
    assert told == [(i, 6) for i in range(1, 7)]
    assert capfd.readouterr() == ("", "")  # the parent process owns the terminal

    about = record["data"]
    assert (about["name"], about["train"], about["val"]) == ("scenes", 5, 4)
    assert (about["height"], about["width"], about["scenes_seed"]) == (32, 32, 0)
    assert record["run"] == spec.id
    assert (record["guided"], record["seed"]) == (False, 2)
    assert list(record["metrics"]["class_iou"]) == about["classes"]
    present = [x for x in record["metrics"]["class_iou"].values() if x is not None]
    assert record["metrics"]["miou"] == pytest.approx(sum(present) / len(present))
    assert 0 <= record["metrics"]["boundary_iou"] <= 1
    assert record["parameters"]["total"] > record["parameters"]["upsamplers"] > 0
    assert record["macs"]["total"] > record["macs"]["upsamplers"] > 0
    assert record["seconds"]["train"] > 0
    assert record["machine"]["threads"] == torch.get_num_threads()
    assert record["finished"].endswith("+00:00")

    _, val = SemanticTask.load("scenes", settings)
    assert [s["index"] for s in record["samples"]] == choose_frames(map(val.label, range(len(val))))
    for sample in record["samples"]:
        shown = _picture(sample["image"]).astype(int)
        original = (val.sample(sample["index"])[0] * 255).permute(1, 2, 0).numpy()
        assert abs(shown - original).mean() < 5
        assert np.array_equal(_picture(sample["label"]), val.label(sample["index"]))
        assert _picture(sample["prediction"]).shape == (32, 32)
        assert _picture(sample["prediction"]).max() < 8
        sampling = sample["sampling"]
        assert {k: sampling[k] for k in ("height", "width", "out_height", "out_width")} == {
            "height": 8, "width": 8, "out_height": 16, "out_width": 16,
        }  # fmt: skip
        positions = np.frombuffer(base64.b64decode(sampling["positions"]), "<i2") / 256
        positions = positions.reshape(sampling["groups"], 2, 16, 16)
        # After six steps offsets are small: x runs along the last axis, from -1/4 to 7 1/4.
        regular = np.arange(16) / 2 - 0.25
        assert abs(positions[:, 0] - regular).max() < 0.5
        assert abs(positions[:, 1] - regular[:, None]).max() < 0.5

    log = (tmp_path / "log" / "version_0" / "metrics.csv").read_text().splitlines()
    assert log[0] == "boundary_iou,epoch,loss,miou,step"
    assert len(log) == 3  # the loss at step 6, and the metrics
    # The same run again starts anew in another folder, and gives the same.
    again = run_task(spec, tmp_path / "other").to_line()
    assert {k: again[k] for k in STABLE} == {k: record[k] for k in STABLE}


def test_a_killed_run_goes_on_and_ends_the_same(tiny: Callable, tmp_path: Path) -> None:
    spec = spec_of(tiny(steps=7), checkpoint_every=2)
    whole = run_task(spec, tmp_path / "whole").to_line()
    folder = tmp_path / "killed"
    for step in (4, 6):  # twice: the second attempt is killed on its second step
        with pytest.raises(KilledError):
            run_task(spec, folder, callbacks=[StepReporter(_kill_at(step))])
    # Its state is enough to go on from: how to build the model is known.
    held = torch.load(folder / "last.ckpt", weights_only=True)
    torch.save({key: held[key] for key in held if key != "spec"}, folder / "last.ckpt")
    told: list[int] = []
    reporter = StepReporter(lambda step, _: told.append(step))
    resumed = run_task(spec, folder, callbacks=[reporter]).to_line()
    assert told[-1] == 7
    assert told[0] > 4  # it did not start anew
    assert {k: resumed[k] for k in STABLE} == {k: whole[k] for k in STABLE}
    weights = [
        torch.load(f / "last.ckpt", weights_only=True)["state_dict"]
        for f in (tmp_path / "whole", folder)
    ]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    # A finished run is evaluated again, not trained.
    told.clear()
    often = spec_of(tiny(steps=7))  # with another interval between checkpoints
    again = run_task(often, tmp_path / "whole", callbacks=[reporter]).to_line()
    assert again["metrics"] == whole["metrics"]
    assert len(told) <= 1


def test_checkpoint_of_another_run(tiny: Callable, tmp_path: Path) -> None:
    held = {"run": "0123456789ab", "about": {}, "spec": {}, "state_dict": {}}
    torch.save(held, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"last.ckpt must be of run \w{12}, but is of run 0123"):
        run_task(spec_of(tiny(), "nearest"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"nonsense"])
def test_damaged_checkpoint(tiny: Callable, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"last.ckpt cannot be read \(delete it\)") as caught:
        run_task(spec_of(tiny(), "nearest"), tmp_path)
    assert "\n" not in str(caught.value)


def test_camvid_with_the_skip(camvid: Path, tiny: Callable, tmp_path: Path) -> None:
    settings = tiny("camvid:x", head="skip", size=45, train_frames=None, val_frames=None)
    record = run_task(spec_of(settings, "bilinear", 0, f"camvid:{camvid}"), tmp_path).to_line()
    assert (record["data"]["height"], record["data"]["width"]) == (45, 60)
    assert (record["data"]["train"], record["data"]["val"]) == (5, 4)
    assert str(camvid) not in json.dumps(record)
    assert [s["sampling"] for s in record["samples"]] == [None] * 3
    assert 255 in _picture(record["samples"][0]["label"])


def test_samples_show_the_frames_with_the_longest_boundaries(tiny: Callable) -> None:
    _, val = SemanticTask.load("scenes", tiny(val_frames=4))
    labels = torch.stack([val.label(i) for i in range(4)])
    labels[1], labels[2] = 0, 255
    labels[0, ::2] = 1
    assert choose_frames(labels, 2) == [0, 3]
    assert choose_frames(labels, 9) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("nearst", 0, "scenes"), ValueError, "nearest"),
        (("nearest", 0, "voc"), ValueError, r"`data` \(='voc'\) must be"),
        (("nearest", 0.5, "scenes"), TypeError, r"`seed` \(=0.5\) must be an integer"),
        (("nearest", 0, "camvid:/nowhere"), FileNotFoundError, "folder /nowhere does not"),
    ],
)
def test_mistakes_cost_no_training(
    tiny: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Any,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(SemanticTask, "load", None)
    with pytest.raises(error, match=message):
        run_task(spec_of(tiny(), *arguments), tmp_path)
    assert not list(tmp_path.iterdir())


def test_guided_upsamplers_see_the_finer_map(
    tiny: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sum(Guided):
        def upsample(self, x: Any, guide: Any, size: Any) -> Any:
            return torch.nn.functional.interpolate(x, size=size) + guide

        def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
            return 1

    monkeypatch.setitem(registry._ENTRIES, "guided", registry.Entry("guided", Sum, guided=True))
    record = run_task(spec_of(tiny(), "guided"), tmp_path).to_line()
    assert record["guided"] is True
    assert record["macs"]["upsamplers"] == 6

"""`dysample evaluate` through its real command line, on what tiny trainings leave."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dysample.workbench.models.encoder import Encoder
from support.layouts import LAYOUTS

TINY = [
    "--steps=3", "--batch-size=2", "--size=32", "--width=8",
    "--accelerator=cpu",
]  # fmt: skip
SCENES = [*TINY, "--train-frames=5", "--val-frames=4"]


@pytest.fixture
def trained(tmp_path: Path, dysample: Callable) -> Path:
    folder = tmp_path / "out"
    command = ["train", "semantic_scenes", *SCENES, "--validate-every=2"]
    assert dysample(*command, "--output", folder).code == 0
    return folder


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.jsonl").read_text())


def test_the_last_checkpoint_has_the_record_s_metrics(
    trained: Path, tmp_path: Path, dysample: Callable
) -> None:
    shutil.move(trained, tmp_path / "moved")
    folder = tmp_path / "moved"
    ended = dysample("evaluate", folder / "last.ckpt", "--json", tmp_path / "found.json")
    assert ended.code == 0, ended.stderr
    assert ended.stderr == ""
    for word in ("semantic on scenes, 4 images, dysample, last.ckpt of step 3", "mIoU", "fence"):
        assert word in ended.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["metrics"] == result(folder)["metrics"]
    assert (found["run"], found["step"]) == (result(folder)["run"], 3)
    assert {path.name for path in folder.iterdir()} == {
        "last.ckpt", "best.ckpt", "config.yaml", "log", "tensorboard", "results.jsonl",
        "results.jsonl.lock", ".lock",
    }  # fmt: skip


def test_the_file_of_the_first_weights_is_not_needed(tmp_path: Path, dysample: Callable) -> None:
    weights, folder = tmp_path / "weights.pt", tmp_path / "out"
    torch.save(Encoder().state_dict(), weights)
    command = ["train", "semantic_scenes", *SCENES, "--weights", weights, "--output", folder]
    assert dysample(*command).code == 0
    weights.unlink()
    ended = dysample("evaluate", folder, "--json", tmp_path / "found.json")
    assert ended.code == 0, ended.stderr
    assert json.loads((tmp_path / "found.json").read_text())["metrics"] == result(folder)["metrics"]


def test_a_folder_s_best_checkpoint_comes_first(trained: Path, dysample: Callable) -> None:
    assert "best.ckpt" in dysample("evaluate", trained).stdout
    (trained / "best.ckpt").unlink()
    assert "last.ckpt" in dysample("evaluate", trained).stdout
    (trained / "last.ckpt").unlink()
    message = "must hold best.ckpt or last.ckpt, but has neither"
    dysample("evaluate", trained).check_mistake(message)


@pytest.mark.parametrize(
    ("task", "layout"),
    [
        ("semantic", "camvid"),
        ("detection", "coco_detection"),
        ("instance", "pennfudan"),
        ("panoptic", "coco_panoptic"),
        ("depth", "kitti"),
    ],
)
def test_data_on_disk_and_others_of_the_same_classes(
    task: str, layout: str, tmp_path: Path, dysample: Callable
) -> None:
    data = f"{layout}:{LAYOUTS[layout](tmp_path / 'data')}"
    folder, file = tmp_path / "out", tmp_path / "found.json"
    ended = dysample(
        "train", "--task", task, "--data", data, *TINY, "--loader-workers=1",
        "--output", folder,
    )  # fmt: skip
    assert ended.code == 0, ended.stderr
    assert len(result(folder)["samples"]) == (task in ("semantic", "panoptic"))
    assert dysample("report", folder / "results.jsonl").code == 0
    # The folder of the training is gone; another copy has the same images.
    other = f"{layout}:{shutil.move(tmp_path / 'data', tmp_path / 'other')}"
    ended = dysample("evaluate", folder, "--data", other, "--json", file)
    assert ended.code == 0, ended.stderr
    assert json.loads(file.read_text())["metrics"] == result(folder)["metrics"]
    assert dysample("evaluate", folder).code == 2


def test_data_of_other_classes(trained: Path, tmp_path: Path, dysample: Callable) -> None:
    data = f"camvid:{LAYOUTS['camvid'](tmp_path / 'data')}"
    message = "must have the 8 classes of the training, in their order, but has 11"
    dysample("evaluate", trained, "--data", data).check_mistake(message)


@pytest.mark.parametrize("augment", [(), ("--augment",)])
def test_scenes_have_other_classes_than_photographs(
    augment: tuple[str, ...], tmp_path: Path, dysample: Callable
) -> None:
    data, folder = f"camvid:{LAYOUTS['camvid'](tmp_path / 'data')}", tmp_path / "out"
    command = ["train", "--task", "semantic", "--data", data, *TINY, *augment]
    assert dysample(*command, "--output", folder).code == 0
    message = "must have the 11 classes of the training, in their order, but has 8"
    dysample("evaluate", folder, "--data", "scenes").check_mistake(message)


def _executable(path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple:
            return (Path.touch, (path.parent / "executed",))

    torch.save({"run": Harmful(), "about": {}, "state_dict": {}}, path)


def _change(spec: dict[str, Any] | None = None, **changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        held = torch.load(path)
        torch.save({**held, "spec": {**held["spec"], **(spec or {})}, **changes}, path)

    return change


def _drop(key: str) -> Callable[[Path], None]:
    def drop(path: Path) -> None:
        held = torch.load(path)
        del held["spec"][key]
        torch.save(held, path)

    return drop


def _content(content: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


def _flip(path: Path) -> None:
    """One bit of a weight, of which torch reads another number."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip, "cannot be read: the checksum of"),
        (_change(about={}), "`about` must hold `classes`, of type list"),
        (_change(about=None), "`about` must hold `classes`, of type list"),
        (_change(spec={"task": "x"}), "`task` (='x') must be one of semantic"),
        (_change(spec={"task": ["x"]}), "`task` (=['x']) must be a name"),
        (
            _change(spec={"upsampler": "bilinaer"}),
            "must be a known upsampler: did you mean bilinear",
        ),
        (_drop("seed"), "`spec` must hold every option, but lacks seed"),
        (_drop("task"), "must fit the model that it names: KeyError: 'task'"),
        (_drop("steps"), "`spec` must hold every option, but lacks steps"),
        (_change(spec={"settings": {}}), "`settings` is not an option of"),
        (
            _change(spec={"width": 10**9}),
            "`width` (=1000000000) must be at most 4096",
        ),
        (_change(state_dict=3), "must fit the model that it names: AttributeError"),
        (_change(global_step="x"), "must fit the model that it names: "),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "cannot be read: "),
        (lambda path: path.write_bytes(b""), "cannot be read: "),
        (_content({"weights": 1}), "must be one of `dysample`, but is another"),
        (_content([1, 2]), "must be one of `dysample`, but is another"),
        (_executable, "cannot be read: "),
        (
            _content({"run": "x", "about": {}, "state_dict": {}}),
            "`spec` must hold the options of its run by name",
        ),
        (_change(spec={"seed": 7}), "must be of the run that config.yaml beside it describes"),
        (
            _change(spec={"precision": "bf16-mixed"}),
            "must be of the run that config.yaml beside it describes",
        ),
        (_change(state_dict={}), "must fit the model that it names: "),
        (lambda path: (path.parent / "config.yaml").unlink(), "must lie beside the config.yaml"),
        (lambda path: path.unlink(), "does not exist"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    damage: Callable[[Path], object], message: str, trained: Path, dysample: Callable
) -> None:
    damage(trained / "best.ckpt")
    ended = dysample("evaluate", trained / "best.ckpt")
    ended.check_mistake(message)
    assert f"{trained / 'best.ckpt'}" in ended.stderr
    assert not (trained / "executed").exists()


def test_a_file_that_could_not_be_written_costs_nothing(trained: Path, dysample: Callable) -> None:
    message = "`json` (=/nowhere/found.json) must lie in a folder that exists"
    dysample("evaluate", trained, "--json", "/nowhere/found.json").check_mistake(message)

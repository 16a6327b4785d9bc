"""Models of the workbench as folders that others can load."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dysample import hub
from dysample.cli.target import find_model
from dysample.workbench.models.encoder import Encoder
from dysample.workbench.settings import TASKS
from dysample.workbench.training.restore import from_training

pytest.importorskip("safetensors")

ABOUT: dict[str, Any] = {
    "classes": ["wall", "door", "chair", "floor"],
    "things": ["door", "chair"],
    "height": 64,
    "width": 96,
}


def same(a: torch.nn.Module, b: torch.nn.Module) -> None:
    ours, theirs = a.state_dict(), b.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert str(a) == str(b)


def small(task: str) -> torch.nn.Module:
    arguments = {"options": {"groups": 2}, "about": ABOUT, "settings": {"width": 16}, "seed": 1}
    return hub.create_model("task", task=task, upsampler="dysample", **arguments)


@pytest.mark.parametrize("task", TASKS)
def test_the_small_model_of_each_task_comes_back(task: str, tmp_path: Path) -> None:
    model = small(task)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)  # trained
    hub.save_pretrained(model, tmp_path)
    same(hub.from_pretrained(tmp_path), model.eval())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rcnn", {"kind": "instance", "depth": 50, "classes": 3}),
        ("maskformer", {"swin": "tiny", "classes": 3}),
        ("swin_depth", {"swin": "tiny"}),
    ],
)
def test_models_of_the_papers_come_back(name: str, arguments: dict, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    model = hub.create_model(name, upsampler="dysample", options={}, seed=0, **arguments)
    hub.save_pretrained(model, tmp_path)
    same(hub.from_pretrained(tmp_path), model.eval())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_run_with_a_frozen_encoder_comes_back(
    precision: str, tmp_path: Path, dysample: Callable
) -> None:
    start, folder = tmp_path / "encoder.pth", tmp_path / "run"
    torch.save(Encoder().state_dict(), start)
    command = ["train", "semantic_scenes", "--steps=2", "--batch-size=2", "--size=32", "--width=8"]
    command += ["--accelerator=cpu", "--train-frames=4", "--val-frames=2", "--frozen"]
    command += [f"--weights={start}", f"--precision={precision}", f"--output={folder}"]
    assert dysample(*command).code == 0
    (line,) = (folder / "results.jsonl").read_text().splitlines()
    assert dysample("evaluate", folder, "--json", tmp_path / "found.json").code == 0
    assert (
        json.loads((tmp_path / "found.json").read_text())["metrics"] == json.loads(line)["metrics"]
    )
    start.unlink()
    model = from_training(folder)
    hub.save_pretrained(model, tmp_path / "shared")
    back = hub.from_pretrained(tmp_path / "shared")
    same(back, model)
    image = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(back(image), model(image))


def test_what_was_trained_is_shared_and_exported(tmp_path: Path, dysample: Callable) -> None:
    folder = tmp_path / "run"
    command = ["train", "semantic_scenes", "--steps=2", "--batch-size=2"]
    command += ["--size=32", "--width=8", "--accelerator=cpu"]
    command += ["--train-frames=4", "--val-frames=2"]
    assert dysample(*command, "--output", folder).code == 0
    model = from_training(folder)
    assert not model.training
    hub.save_pretrained(model, tmp_path / "shared")
    back = hub.from_pretrained(tmp_path / "shared")
    same(back, model)
    image = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(back(image), model(image))
    weights = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(v, weights[f"model.{k}"]) for k, v in back.state_dict().items())
    config = json.loads((tmp_path / "shared" / "config.json").read_text())
    assert (config["model"], config["task"]) == ("task", "semantic")
    for source in (folder, tmp_path / "shared"):
        same(find_model(str(source), ["1x3x32x48"], half=False)[0], model)
    path = tmp_path / "shared" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"shared/model.safetensors` must have the SHA-256"):
        hub.from_pretrained(tmp_path / "shared")


def test_a_config_in_which_something_is_missing(tmp_path: Path) -> None:
    hub.save_pretrained(small("detection"), tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    del config["about"]["things"]
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config.json` must hold arguments of task: 'things'"):
        hub.from_pretrained(tmp_path)


def changed(folder: Path, *path: str, to: Any) -> None:
    """Rewrite an entry of the configuration."""
    file = folder / "config.json"
    config = part = json.loads(file.read_text())
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    file.write_text(json.dumps(config))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_config_opens_no_other_weights(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, read = tmp_path / f"encoder{suffix}", []
    torch.save(Encoder().state_dict(), mine)
    hub.save_pretrained(small("semantic"), tmp_path / "shared")
    monkeypatch.setattr("dysample.workbench.models.build.read_weights", read.append)
    for name in (str(mine), "pretrained", "", 5):
        changed(tmp_path / "shared", "settings", "weights", to=name)
        with pytest.raises(ValueError, match=r"config.json` must not name other weights") as error:
            hub.from_pretrained(tmp_path / "shared")
        assert repr(name) in str(error.value)
    assert read == []


def test_where_weights_came_from_is_not_shared(tmp_path: Path) -> None:
    path = tmp_path / "private" / "encoder.pth"
    path.parent.mkdir()
    torch.save(Encoder().state_dict(), path)
    arguments = {"options": {}, "about": ABOUT, "settings": {"weights": str(path)}, "seed": 1}
    model = hub.create_model("task", task="semantic", upsampler="bilinear", **arguments)
    hub.save_pretrained(model, tmp_path / "shared")
    assert "private" not in (tmp_path / "shared" / "config.json").read_text()
    path.unlink()
    same(hub.from_pretrained(tmp_path / "shared"), model.eval())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("settings", "width"), 10**7),
        (("settings", "width"), 10**30),
        (("settings", "width"), "16"),
        (("settings", "encoder"), "/etc/passwd"),
        (("settings", "model"), "r101"),
        (("settings",), []),
        (("options", "groups"), 10**9),
        (("options", "groups"), {}),
        (("options",), {"in_channels": 3}),
        (("upsampler",), ["dysample"]),
        (("task",), None),
        (("about",), {}),
        (("about", "classes"), 5),
        (("seed",), {}),
    ],
    ids=str,
)
def test_hostile_values_are_one_line(
    path: tuple[str, ...], value: Any, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    hub.save_pretrained(small("semantic"), tmp_path)
    changed(tmp_path, *path, to=value)
    with pytest.raises(ValueError, match=r"must hold (arguments of task|the weights of)") as error:
        hub.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    assert not recwarn


def test_more_classes_than_the_weights_have_numbers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    arguments = {"upsampler": "dysample", "options": {}, "classes": 3, "seed": 0}
    hub.save_pretrained(hub.create_model("segformer", name="b0", **arguments), tmp_path)
    for name in ("maskformer", "segformer"):  # the first lists its classes before it has tensors
        changed(tmp_path, "model", to=name)
        changed(tmp_path, "classes", to=10**9)
        with pytest.raises(ValueError, match=r"`classes` \(=1000000000\) must be at most \d+,"):
            hub.from_pretrained(tmp_path)


def test_a_checkpoint_of_absurd_sizes_takes_no_memory(tmp_path: Path, dysample: Callable) -> None:
    folder = tmp_path / "run"
    command = ["train", "depth_scenes", "--steps=1", "--batch-size=1"]
    command += ["--size=32", "--width=8", "--accelerator=cpu"]
    command += ["--train-frames=1", "--val-frames=1"]
    assert dysample(*command, "--output", folder).code == 0
    path = folder / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    for width in (10**7, 10**12):
        checkpoint["spec"]["width"] = width
        torch.save(checkpoint, path)
        with pytest.raises(ValueError, match=r"last.ckpt must fit the model that it names: "):
            from_training(path)


def test_a_folder_without_a_training(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must hold best.ckpt or last.ckpt"):
        from_training(tmp_path)


def test_mistakes_of_the_small_models_are_named() -> None:
    with pytest.raises(ValueError, match=r"`task` \(='semantics'\) must be one of"):
        hub.create_model(
            "task",
            task="semantics",
            upsampler="dysample",
            options={},
            about=ABOUT,
            settings={},
            seed=0,
        )

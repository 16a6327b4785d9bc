from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console

from dysample import DySample, hub
from dysample.workbench.look import models
from dysample.workbench.look.models import (
    choose_models,
    find_references,
    models_of_page,
    quick_model,
)
from dysample.workbench.resolver import find_model, find_runs
from dysample.workbench.training.restore import restore


def test_runs_of_a_comparison(compared: Path, tmp_path: Path) -> None:
    for folder in (compared, compared / "runs"):
        runs = find_runs(folder)
        assert [run.upsampler for run in runs] == ["bilinear", "carafe", "dysample", "nearest"]
        assert runs[0].label == "semantic, bilinear, seed 0"
    with pytest.raises(FileNotFoundError, match="must hold runs of `dysample compare`"):
        find_runs(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        find_runs(tmp_path / "none")


def test_a_checkpoint_alone_gives_the_trained_model(
    run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = tmp_path / "moved.ckpt"
    shutil.copy(run_of("carafe") / "last.ckpt", copy)
    path, restored = find_model(str(copy))
    assert path == copy
    assert restored.spec.upsampler.name == "carafe"
    assert not restored.task.training
    weights = torch.load(copy, weights_only=True)["state_dict"]
    for key, value in restored.task.state_dict().items():
        assert torch.equal(value, weights[key])


def test_folders_of_the_hub(tmp_path: Path) -> None:
    up = DySample(8)
    hub.save_pretrained(up, tmp_path)
    loaded = find_model(str(tmp_path))
    assert isinstance(loaded, DySample)
    assert torch.equal(loaded.offset.weight, up.offset.weight)


def test_a_folder_with_several_runs_is_no_model(compared: Path) -> None:
    with pytest.raises(ValueError, match="holds several runs: choose one, such as semantic-bil"):
        find_model(str(compared))


def test_references_differ_in_the_upsampler_alone(
    run_of: Callable[[str], Path], compared: Path, tmp_path: Path
) -> None:
    checkpoint = run_of("dysample") / "last.ckpt"
    found = find_references(checkpoint, restore(checkpoint))
    assert [name for name, _ in found] == ["nearest", "bilinear"]
    nearest = run_of("nearest") / "last.ckpt"
    assert [n for n, _ in find_references(nearest, restore(nearest))] == ["bilinear"]
    copy = tmp_path / "copy"
    shutil.copytree(compared, copy)
    other = next((copy / "runs").glob("semantic-nearest-*")) / "last.ckpt"
    held = torch.load(other, weights_only=True)
    held["spec"]["steps"] += 1
    torch.save(held, other)
    bilinear = next((copy / "runs").glob("semantic-bilinear-*")) / "last.ckpt"
    moved = copy / "runs" / checkpoint.parent.name / "last.ckpt"
    assert [n for n, _ in find_references(moved, restore(moved))] == ["bilinear"]
    held = torch.load(bilinear, weights_only=True)
    held["about"]["train"] += 1
    torch.save(held, bilinear)
    assert find_references(moved, restore(moved)) == []


def test_which_models_a_command_line_means(compared: Path, run_of: Callable[[str], Path]) -> None:
    assert choose_models(None, None) == {"dysample": "dysample"}
    assert list(choose_models(None, "sapa_[bg],carafe")) == ["sapa_b", "sapa_g", "carafe"]
    assert choose_models(compared, "carafe") == {"carafe": run_of("carafe")}
    assert list(choose_models(compared, None)) == ["bilinear", "carafe", "dysample", "nearest"]
    run = run_of("carafe")
    assert choose_models(run, None) == {run.name: run}
    with pytest.raises(ValueError, match=r"`upsampler` \(=dysample\(groups=2\)\) must be without"):
        choose_models(None, "dysample(groups=2)")
    with pytest.raises(ValueError, match=r"\(=fade\) must be among those that .* has trained: bil"):
        choose_models(compared, "carafe,fade")
    with pytest.raises(ValueError, match=r"must be left out: .* is a single model"):
        choose_models(run, "carafe")


def test_runs_that_differ_in_more_than_upsampler_and_seed(compared: Path, tmp_path: Path) -> None:
    """As those of two heads in one folder: none takes the place of another unseen."""
    shutil.copytree(compared, tmp_path / "copy")
    runs = tmp_path / "copy" / "runs"
    one = next(runs.glob("semantic-dysample-*"))
    other = runs / f"{one.name[:-12]}{12 * '0'}"
    shutil.copytree(one, other)
    with pytest.raises(ValueError, match=r"several runs of dysample that .*: give the folder of"):
        choose_models(runs, None)
    assert list(choose_models(runs, "carafe")) == ["carafe"]
    shown = models_of_page(runs, None, Console())
    assert len(shown) == 5
    assert shown[f"semantic, dysample, seed 0 ({12 * '0'})"] == other


def test_a_quick_model_is_trained_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DYSAMPLE_CACHE", str(tmp_path))
    tiny = {"steps": 2, "batch_size": 2, "width": 8, "train_frames": 4, "val_frames": 2, "size": 32}
    monkeypatch.setattr(models, "QUICK", tiny)
    console = Console(record=True, width=200, file=io.StringIO())
    folder = quick_model("dysample", console)
    assert folder.parent == tmp_path / "models" / "runs"
    assert "training a small model with dysample for 2 steps" in console.export_text()
    changed = (folder / "last.ckpt").stat().st_mtime_ns
    assert quick_model("dysample", console) == folder
    assert console.export_text() == ""
    assert (folder / "last.ckpt").stat().st_mtime_ns == changed
    with pytest.raises(ValueError, match="must be a known upsampler"):
        quick_model("dysampel", console)


def test_models_of_the_page(compared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list(models_of_page(compared, None, Console()))
    assert shown == [
        f"semantic, {n}, seed 0" for n in ("carafe", "dysample", "bilinear", "nearest")
    ]
    with pytest.raises(ValueError, match=r"must be left out: .* holds the models"):
        models_of_page(compared, "carafe", Console())
    monkeypatch.setattr(models, "quick_model", lambda name, console: Path(name))
    assert list(models_of_page(None, None, Console())) == [
        "dysample",
        "carafe",
        "nearest",
        "bilinear",
    ]

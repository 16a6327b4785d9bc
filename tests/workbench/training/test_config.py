from pathlib import Path
from typing import Any

import pytest

from dysample.workbench.settings import CONFIGS, SCENES, settings_for
from dysample.workbench.training.config import configure, load_config, to_yaml
from dysample.workbench.training_options import TrainingOptions


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configs_are_read_and_written_whole(name: str, tmp_path: Path) -> None:
    spec, output = configure(name, [], {})
    assert output == Path("runs") / name
    (tmp_path / "again.yaml").write_text(to_yaml(spec, output))
    assert load_config(tmp_path / "again.yaml") == (spec, output)


def test_configs_of_the_scenes_are_the_recipes_of_compare() -> None:
    for task, settings in SCENES.items():
        spec, _ = configure(f"{task}_scenes", [], {})
        assert (spec.task, spec.data, spec.settings) == (task, "scenes", settings)
        assert spec.training.identity() == {}


def test_options_win_over_files_and_the_later_file_over_the_earlier(tmp_path: Path) -> None:
    own, other = tmp_path / "own.yaml", tmp_path / "other.yaml"
    own.write_text("upsampler: carafe\nsteps: 7\nwidth: 16\nseed: 3\nweight_decay: 1e-3\n")
    other.write_text("seed: 5\n")
    spec, output = configure(
        "depth_scenes",
        [own, other],
        {"steps": 9, "head": "skip", "upsampler": "carafe(up_kernel=3)", "output": "x",
         "precision": "bf16-mixed"},
    )  # fmt: skip
    assert (spec.task, spec.upsampler.label, spec.seed) == ("depth", "carafe(up_kernel=3)", 5)
    changes: dict[str, Any] = {"steps": 9, "width": 16, "head": "skip", "weight_decay": 1e-3}
    assert spec.settings == settings_for("depth", "scenes", **changes)
    assert spec.training == TrainingOptions(validate_every=100, precision="bf16-mixed")
    assert output == Path("x")


def test_the_recipe_follows_task_and_data() -> None:
    spec, output = configure(None, [], {"task": "semantic", "data": "camvid:x"})
    assert spec.settings == settings_for("semantic", "camvid:x")
    assert output == Path("runs/semantic")


def test_resume_alone_takes_the_folder_s_configuration(tmp_path: Path) -> None:
    written = configure("depth_scenes", [], {"seed": 4, "output": str(tmp_path)})
    (tmp_path / "config.yaml").write_text(to_yaml(*written))
    assert configure(None, [], {"output": str(tmp_path)}, resume=True) == written
    with pytest.raises(FileNotFoundError, match="there is no run to go on"):
        configure(None, [], {"output": str(tmp_path / "other")}, resume=True)


@pytest.mark.parametrize(
    ("message", "name", "options"),
    [
        ("`task` must be given: by NAME, one of depth_nyu_swin_tiny,", None, {}),
        (r"NAME \(='depht'\) must be one of depth_nyu", "depht", {}),
        (r"`task` \(='tracking'\) must be one of semantic", None, {"task": "tracking"}),
        (r"`data` \(='x'\) must be 'scenes' or", None, {"task": "depth", "data": "x"}),
        (r"`steps` \(=0\) must be at least 1", "depth_scenes", {"steps": 0}),
        ("`head` is not an option of detection", "detection_scenes", {"head": "skip"}),
        (r"`precision` \(='fp8'\) must be one of 32", "depth_scenes", {"precision": "fp8"}),
        (r"`devices` \(=0\) must be", "depth_scenes", {"devices": 0}),
        (r"`output` \(=3\) must be a folder", "depth_scenes", {"output": 3}),
        ("carafe_five", "depth_scenes", {"upsampler": "carafe_five"}),
    ],
)
def test_mistakes(message: str, name: str | None, options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        configure(name, [], options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: depth\nstepps: 3", "`stepps` is not an option of depth: did you mean steps"),
        ("task: depth\nsteps: many", r"`steps` \(='many'\) must be an integer"),
        (
            "task: depth\nsettings: {steps: 3}",
            "`settings` is not an option of depth: there are task",
        ),
        ("task: [", "own.yaml'.* must be YAML"),
        ("depth", "own.yaml'.* must hold options by name"),
        ("task: 3", r"`task` \(=3\) must be a name"),
        ("1:\n", "own.yaml'.* must hold options by name"),
        ("", "own.yaml'.* must hold options by name"),
    ],
)
def test_mistakes_in_a_file(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises((ValueError, TypeError), match=message):
        load_config(tmp_path / "own.yaml")


def test_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"'/nowhere\.yaml'"):
        load_config(Path("/nowhere.yaml"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"validate_every": 0}, ValueError, r"`validate_every` \(=0\) must be at least 1"),
        ({"accumulate": 1.5}, TypeError, r"`accumulate` \(=1.5\) must be an integer"),
        ({"loader_workers": -1}, ValueError, r"`loader_workers` \(=-1\) must be at least 0"),
        ({"precision": "16"}, ValueError, r"`precision` \(='16'\) must be one of 32-true, bf16"),
        ({"accelerator": "tpu"}, ValueError, r"`accelerator` \(='tpu'\) must be one of auto"),
    ],
)
def test_training_options(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TrainingOptions(**options)


def test_batches_are_cut_into_equal_parts() -> None:
    options = TrainingOptions(accumulate=2, devices=2, num_nodes=2)
    options.check_batch_size(16)
    with pytest.raises(ValueError, match=r"`batch_size` \(=12\) must be a multiple of 8"):
        options.check_batch_size(12)

from pathlib import Path

import pytest

from dysample.workbench.config import CONFIGS, load_config, parse_config
from dysample.workbench.settings import SCENES, settings_for
from dysample.workbench.training import TrainingOptions


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configs_are_read_and_written_whole(name: str, tmp_path: Path) -> None:
    config, resume = parse_config([name])
    assert not resume
    assert config.output == Path("runs") / name
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert load_config(tmp_path / "again.yaml") == config


def test_configs_of_the_scenes_are_the_recipes_of_compare() -> None:
    for task, settings in SCENES.items():
        config, _ = parse_config([f"{task}_scenes"])
        assert (config.task, config.data, config.settings) == (task, "scenes", settings)
        assert config.training.identity() == {}


def test_options_win_over_files_and_the_later_file_over_the_earlier(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("upsampler: carafe\nsettings: {steps: 7, width: 16}\nseed: 3\n")
    config, resume = parse_config(
        ["depth_scenes", "--config", str(own), "--settings.steps", "9", "--settings.head=skip",
         "--upsampler_options.up_kernel", "3", "--training.precision", "bf16-mixed",
         "--output", "x", "--resume"]
    )  # fmt: skip
    assert resume
    assert (config.task, config.upsampler, config.seed) == ("depth", "carafe", 3)
    assert config.settings == settings_for("depth", "scenes", steps=9, width=16, head="skip")
    assert config.upsampler_options == {"up_kernel": 3}
    assert config.training == TrainingOptions(validate_every=100, precision="bf16-mixed")
    assert config.output == Path("x")


def test_the_recipe_follows_task_and_data() -> None:
    config, _ = parse_config(["--task", "semantic", "--data", "camvid:x"])
    assert config.settings == settings_for("semantic", "camvid:x")
    assert config.output == Path("runs/semantic")


def test_resume_alone_takes_the_folder_s_configuration(tmp_path: Path) -> None:
    written, _ = parse_config(["depth_scenes", "--seed", "4", "--output", str(tmp_path)])
    (tmp_path / "config.yaml").write_text(written.to_yaml())
    config, resume = parse_config(["--resume", "--output", str(tmp_path)])
    assert resume
    assert config == written
    with pytest.raises(FileNotFoundError, match="there is no run to go on"):
        parse_config(["--resume", "--output", str(tmp_path / "other")])


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("`task` must be given: by NAME, one of depth_nyu_swin_tiny,", []),
        (r"NAME \(='depht'\) must be one of depth_nyu", ["depht"]),
        (r"`task` \(='tracking'\) must be one of semantic", ["--task", "tracking"]),
        (r"`data` \(='x'\) must be 'scenes' or", ["--task=depth", "--data=x"]),
        ("settings.stepps", ["depth_scenes", "--settings.stepps", "3"]),
        (r'"settings.steps".*int', ["depth_scenes", "--settings.steps", "many"]),
        (r"`steps` \(=0\) must be at least 1", ["depth_scenes", "--settings.steps", "0"]),
        ("settings.head", ["detection_scenes", "--settings.head", "skip"]),
        ('"training.precision".*fp8', ["depth_scenes", "--training.precision", "fp8"]),
        (r"`devices` \(=0\) must be", ["depth_scenes", "--training.devices", "0"]),
        ("expected one argument", ["--config"]),
    ],
)
def test_mistakes(message: str, arguments: list[str]) -> None:
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        parse_config(arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: depth\nsettigns: {steps: 3}", "settigns"),
        ("task: depth\nsettings: {stepps: 3}", "stepps"),
        ("task: [", "own.yaml'.* must be YAML"),
        ("depth", "own.yaml'.* must hold options by name"),
        ("task: 3", r"`task` \(=3\) must be a name"),
    ],
)
def test_mistakes_in_a_file(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_config(tmp_path / "own.yaml")


def test_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"'/nowhere\.yaml'"):
        parse_config(["--config", "/nowhere.yaml"])


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

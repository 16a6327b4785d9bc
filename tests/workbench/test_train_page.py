"""Every command in a `sh` block of docs/train.md runs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dysample.workbench.config import CONFIGS, load_config
from support.documented import blocks, commands

PATH = Path(__file__).parents[2] / "docs" / "train.md"
PAGE = PATH.read_text()


def test_commands(tmp_path: Path, dysample: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [block.text for block in blocks(PATH) if block.kind == "sh" and not block.reason]
    found = list(commands("".join(shown)))
    assert len(found) == 6
    # The settings that make the first one quick.
    found[0] += ["--settings.train_frames", "8", "--settings.val_frames", "4"]
    for name, *arguments in found:
        assert name == "dysample"
        ended = dysample(*arguments)
        assert ended.code == 0, (arguments, ended.stderr)


def test_the_configuration_and_the_names(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    config = load_config(tmp_path / "mine.yaml")
    # Every section and every option of training is shown.
    assert yaml.safe_load(text).keys() == yaml.safe_load(config.to_yaml()).keys()
    assert yaml.safe_load(text)["training"].keys() == config.training.to_dict().keys()
    for name in CONFIGS:
        assert f"`{name}`" in PAGE

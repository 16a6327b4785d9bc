"""Every command in a `sh` block of docs/train.md runs."""

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from dysample.workbench.settings import CONFIGS
from dysample.workbench.training.config import load_config, to_yaml
from support.documented import blocks, commands

PATH = Path(__file__).parents[3] / "docs" / "train.md"
PAGE = PATH.read_text()


def test_commands(tmp_path: Path, dysample: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [block.text for block in blocks(PATH) if block.kind == "sh" and not block.reason]
    found = list(commands("".join(shown)))
    assert len(found) == 6
    # The settings that make the first one quick.
    found[0] += ["--train-frames", "8", "--val-frames", "4"]
    for name, *arguments in found:
        assert name == "dysample"
        ended = dysample(*arguments)
        assert ended.code == 0, (arguments, ended.stderr)


def test_the_configuration_and_the_names(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    spec, output = load_config(tmp_path / "mine.yaml")
    # Every option but the settings, of which the recipe has the others.
    shown = yaml.safe_load(text).keys() | asdict(spec.settings).keys()
    assert shown == yaml.safe_load(to_yaml(spec, output)).keys()
    for name in CONFIGS:
        assert f"`{name}`" in PAGE

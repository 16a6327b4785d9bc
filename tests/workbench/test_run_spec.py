import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.record import read_records
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.settings import TASKS, settings_for
from dysample.workbench.training_options import TrainingOptions
from support.specs import spec_of

EVIDENCE = Path(__file__).parents[2] / "evidence" / "results.jsonl"
DEPTH = settings_for("depth", "scenes", steps=3)


def test_the_ids_of_recorded_runs_stay_the_same() -> None:
    records = list(read_records(EVIDENCE))
    assert len(records) > 500
    for record in records:
        kind = type(settings_for(record.task, "scenes"))
        spec = RunSpec(
            record.task,
            "scenes",
            UpsamplerSpec(record.upsampler, dict(record.upsampler_options)),
            record.seed,
            kind(**record.settings),
            TrainingOptions(**record.training),
        )
        assert spec.with_about(dict(record.data)).id == record.run
    with_options = spec_of(DEPTH, "dysample(groups=2)", 3, task="depth", precision="bf16-mixed")
    assert with_options.with_about({"name": "scenes"}).id == "e6a366038ada"


def test_an_id_depends_on_each_part_that_changes_what_is_computed() -> None:
    base = spec_of(DEPTH, "nearest", task="depth")
    assert base.about["name"] == "scenes"
    others = [
        base,
        base.with_about({**base.about, "train": 7}),
        replace(base, upsampler=UpsamplerSpec("dysample")),
        replace(base, upsampler=UpsamplerSpec("dysample", {"groups": 4})),
        replace(base, seed=1),
        replace(base, settings=replace(DEPTH, head="skip")),
        replace(base, training=TrainingOptions(accumulate=2)),
        replace(base, training=TrainingOptions(precision="bf16-mixed")),
        spec_of(settings_for("semantic", "scenes", **asdict(DEPTH)), "nearest"),
    ]
    ids = [spec.id for spec in others]
    assert len({*ids}) == len(others)
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in ids)
    free = TrainingOptions(validate_every=2, checkpoint_every=3, devices=2, loader_workers=4)
    assert replace(base, training=free).id == base.id


def test_what_counts_of_a_weights_file_is_what_it_holds(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in ("a.pth", "b.pth", "c.pth"))
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")
    third.write_bytes(b"other weights")

    def run(weights: Any) -> str:
        return spec_of(replace(DEPTH, weights=weights), task="depth").id

    assert run(str(one)) == run(str(other))
    assert len({run(None), run("elsewhere.pth"), run(str(one)), run(str(third))}) == 4
    with pytest.raises(OSError, match="/proc/self/mem"):
        run("/proc/self/mem")


@pytest.mark.parametrize("task", TASKS)
def test_plain_data_and_back(task: str) -> None:
    settings = settings_for(task, "camvid:x", steps=7)
    spec = spec_of(settings, "dysample(groups=8)", 3, "camvid:x", task, accumulate=2)
    options = spec.to_dict()
    assert RunSpec.from_dict(json.loads(json.dumps(options))) == spec
    assert options["upsampler"] == "dysample(groups=8)"
    # In one level, in which no name stands for two things.
    parts = [fields(settings), fields(TrainingOptions)]
    assert len(options) == 4 + sum(map(len, parts))
    assert not any(isinstance(value, dict) for value in options.values())


def test_what_is_left_out_is_as_in_the_recipe() -> None:
    assert RunSpec.from_dict({"task": "depth"}) == RunSpec(
        "depth", "scenes", UpsamplerSpec("dysample"), 0, settings_for("depth", "scenes"),
        TrainingOptions(),
    )  # fmt: skip
    paper = RunSpec.from_dict({"task": "depth", "data": "nyu:x", "model": "swin_tiny"})
    assert paper.settings == settings_for("depth", "nyu:x", model="swin_tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stepps": 3}, r"`stepps` is not an option of depth: did you mean steps\?"),
        ({"qqq": 3}, "`qqq` is not an option of depth: there are task, data, .*loader_workers"),
        ({"task": "detection", "head": "skip"}, "`head` is not an option of detection"),
        ({"task": 3}, r"`task` \(=3\) must be a name"),
        ({"data": ["x"]}, r"`data` \(=\['x'\]\) must be a name"),
        ({"model": ["x"]}, r"`model` \(=\['x'\]\) must be one of small"),
        ({"seed": 0.5}, r"`seed` \(=0.5\) must be an integer"),
        ({"seed": 2**63}, r"`seed` \(=9223372036854775808\) must be at most 92233"),
        ({"upsampler": {"a": 1}}, r"`upsampler` \(=\{'a': 1\}\) must be text"),
        ({"batch_size": 6, "accumulate": 4}, r"`batch_size` \(=6\) must be a multiple of 4"),
    ],
)
def test_mistakes(options: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        RunSpec.from_dict({"task": "depth", **options})


def test_settings_of_another_task() -> None:
    with pytest.raises(TypeError, match="`settings` of semantic must be SemanticSettings"):
        spec_of(DEPTH)


def test_an_upsampler_that_cannot_be_built_is_named() -> None:
    spec = spec_of(DEPTH, f"carafe(compressed_channels={10**12})", task="depth")
    message = (
        r"`upsampler` \(=carafe\(compressed_channels=10{12}\)\), `width` \(=32\): carafe cannot"
    )
    with pytest.raises(ValueError, match=message):
        spec.build_model()


def test_a_frozen_encoder_needs_weights_to_start_from(tmp_path: Path) -> None:
    given = {"task": "semantic", "frozen": True}
    with pytest.raises(
        ValueError, match=r"`frozen` \(=True\) needs a pretrained encoder: `encoder`"
    ):
        RunSpec.from_dict(given)
    assert RunSpec.from_dict({**given, "weights": "file.pth"}).settings.frozen
    assert RunSpec.from_dict({**given, "encoder": "efficientnet_lite0"}).settings.frozen

from dataclasses import replace

import numpy as np
import pytest
import torch

from dysample.workbench.data.panoptic import semantic_labels
from dysample.workbench.data.scene_set import (
    SMALLEST_OBJECT,
    SceneSet,
    describe_scenes,
    load_scene_sets,
)
from dysample.workbench.data.scenes import CLASSES, THINGS
from dysample.workbench.data.targets import VOID, Kind
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.settings import settings_for


@pytest.fixture
def scene_set() -> SceneSet:
    settings = settings_for("instance", "scenes", size=64, train_frames=6, val_frames=2)
    train, val = load_scene_sets(describe_scenes(settings, "panoptic"), "panoptic", list)
    assert (len(train), len(val)) == (6, 2)
    return train


def test_things_are_what_the_maps_show(scene_set: SceneSet) -> None:
    names = describe_scenes(settings_for("panoptic", "scenes"), "panoptic")["classes"]
    assert names[:4] == ["floor", "wall", "ceiling", "fence"]
    hidden = fences = 0
    for i in range(len(scene_set)):
        image, target = scene_set.sample(i)
        frames = scene_set.frames
        assert torch.equal(
            (image * 255).round().byte(),
            torch.from_numpy(scene_set.frames.image[i]).permute(2, 0, 1),
        )
        found = 0
        for k in range(1, frames.instance[i].max() + 1):
            y, x = np.where(frames.instance[i] == k)
            name = CLASSES[frames.semantic[i][y[0], x[0]]]
            if name == "fence":
                fences += 1
                (segment,) = target["panoptic"]["segments"][y, x].unique()
                assert names[target["panoptic"]["categories"][segment]] == name
                assert not target["panoptic"]["isthing"][segment]
                continue
            if len(y) < SMALLEST_OBJECT:
                hidden += 1
                assert (target["panoptic"]["segments"][y, x] == VOID).all()
                continue
            box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert target["boxes"][found].tolist() == box
            assert THINGS[target["labels"][found] - 1] == name
            mask = np.zeros(image.shape[1:], np.uint8)
            mask[y, x] = 1
            assert np.array_equal(target["masks"][found], mask)
            (segment,) = target["panoptic"]["segments"][y, x].unique()
            assert names[target["panoptic"]["categories"][segment]] == name
            assert target["panoptic"]["isthing"][segment]
            found += 1
        assert len(target["labels"]) == len(target["masks"]) == found > 0
    assert hidden > 0
    assert fences > 0


def test_segments_of_stuff(scene_set: SceneSet) -> None:
    _, target = scene_set.sample(0)
    semantic = scene_set.label(0)
    shown = semantic_labels(target["panoptic"])
    known = shown != IGNORE
    stuff = target["panoptic"]["categories"] < 4
    assert torch.equal(target["panoptic"]["isthing"], ~stuff)
    assert not target["panoptic"]["iscrowd"].any()
    assert torch.equal(shown[known], semantic[known].long())
    assert known[semantic < 4].all()


def test_mirrors_everything(scene_set: SceneSet) -> None:
    (image, target), (mirrored, other) = scene_set.training_batch(
        torch.tensor([1, 1]), torch.tensor([False, True]), [0, 1], seed=0
    )
    assert torch.equal(mirrored, image.flip(-1))
    assert torch.equal(other["masks"], target["masks"].flip(-1))
    shown = target["panoptic"]["segments"]
    assert torch.equal(other["panoptic"]["segments"], shown.flip(-1))
    assert torch.equal(other["boxes"][:, ::2], 64 - target["boxes"][:, [2, 0]])
    assert torch.equal(other["boxes"][:, 1::2], target["boxes"][:, 1::2])
    assert torch.equal(other["labels"], target["labels"])


def test_a_frame_without_objects(scene_set: SceneSet) -> None:
    scene_set.frames.instance[0] = 0
    scene_set.frames.semantic[0] = 1
    _, target = scene_set.sample(0)
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, 64, 64)
    assert target["labels"].dtype == torch.int64
    assert (target["panoptic"]["segments"] == 0).all()
    assert target["panoptic"]["categories"].tolist() == [1]


def test_each_task_gets_what_it_learns_from(scene_set: SceneSet) -> None:
    objects = {"boxes", "labels"}
    expected = {
        "semantic": {"semantic"},
        "detection": objects,
        "instance": objects | {"masks"},
        "panoptic": objects | {"masks", "panoptic"},
        "depth": {"depth"},
    }
    frames = scene_set.frames
    for task, names in expected.items():
        _, target = SceneSet(task, frames, list).sample(2, flip=True)
        assert target.keys() == names, task
        for name in names & {"semantic", "depth"}:
            shown = torch.from_numpy(getattr(frames, name)[2])
            assert torch.equal(target[name], shown.flip(-1).to(target[name].dtype))


def test_scenes_are_rendered_in_a_number() -> None:
    settings = replace(settings_for("depth", "scenes"), val_frames=None)
    with pytest.raises(ValueError, match=r"`val_frames` \(=None\) must be a number"):
        describe_scenes(settings, "depth")


def test_instance_masks_of_fences_are_outlines(scene_set: SceneSet) -> None:
    frames, filled = scene_set.frames, 0
    instances = SceneSet("instance", frames, list)
    fence = 1 + THINGS.index("fence")
    for i in range(len(instances)):
        _, target = instances.sample(i)
        sizes = np.bincount(frames.instance[i].ravel())
        shown = [k for k in range(1, len(sizes)) if sizes[k] >= SMALLEST_OBJECT]
        assert len(shown) == len(target["labels"])
        for k, label, outline in zip(shown, target["labels"], target["masks"]):
            mask = torch.from_numpy(frames.instance[i] == k).byte()
            if label != fence:
                assert torch.equal(outline, mask)
                continue
            assert ((outline == 1) >= (mask == 1)).all()
            for line, bars in zip([*outline, *outline.T], [*mask, *mask.T]):
                inside = line.nonzero().flatten()
                if len(inside):
                    bar = bars.nonzero().flatten()
                    assert bar[0] <= inside[0] <= inside[-1] <= bar[-1]
            filled += int(outline.sum() > 1.2 * mask.sum())
    assert filled > 0


@pytest.mark.parametrize("task", ["semantic", "depth"])
def test_held_out_frames_are_the_last_of_the_training_frames(task: Kind) -> None:
    settings = settings_for(task, "scenes", size=32, train_frames=6, val_frames=9)
    every, _ = load_scene_sets(describe_scenes(settings, task), task, list)
    about = describe_scenes(replace(settings, held_out=True), task)
    assert (about["train"], about["val"]) == (4, 2)
    train, held = load_scene_sets(about, task, list, held_out=True)
    assert (len(train), len(held)) == (4, 2)
    for i in range(6):
        image, target = train.sample(i) if i < 4 else held.sample(i - 4)
        assert torch.equal(image, every.sample(i)[0])
        assert torch.equal(target[task], every.sample(i)[1][task])

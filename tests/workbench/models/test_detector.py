from typing import Any

import pytest
import torch
from torchvision.models.detection import MaskRCNN

from dysample.workbench.data.scene_set import SceneSet, describe_scenes, load_scene_sets
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.detector import build_detector
from dysample.workbench.models.panoptic_fpn import PanopticFPN, SemanticBranch
from dysample.workbench.settings import settings_for
from support.models import check_same_but_upsamplers

KINDS = ("detection", "instance", "panoptic")
SIZE = 50  # no multiple of anything: maps of 25, 13, 7 and 4 pixels

SETTINGS = settings_for("panoptic", "scenes", size=SIZE, width=16, train_frames=3, val_frames=1)
ABOUT = describe_scenes(SETTINGS, "panoptic")


def _build(kind: Any, upsampler: str, seed: int = 0) -> Any:
    return build_detector(kind, upsampler, {}, ABOUT, SETTINGS, seed)


@pytest.fixture
def batch() -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    train: SceneSet = load_scene_sets(ABOUT, "panoptic", list)[0]
    samples = [train.sample(i) for i in range(3)]
    for _, target in samples:
        target["semantic"] = torch.zeros(SIZE, SIZE, dtype=torch.int64)
    return [image for image, _ in samples], [target for _, target in samples]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upsampler", ["dysample", "fade"])
def test_every_part_learns(kind: str, upsampler: str, batch: Any) -> None:
    model = _build(kind, upsampler)
    assert len(find_upsamplers(model)) == 3
    losses = model(*batch)
    expected = {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    expected |= set() if kind == "detection" else {"loss_mask"}
    expected |= {"loss_semantic"} if kind == "panoptic" else set()
    assert losses.keys() == expected
    sum(losses.values()).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    # Without a kernel's softmax changing, a constant added to all its logits teaches nothing.
    assert not [n for n in still if "upsamplers" not in n], still


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_one_seed_differ_in_the_upsamplers_alone(kind: str) -> None:
    check_same_but_upsamplers(lambda name: _build(kind, name, 3), "nearest", "carafe")


def test_panoptic_detections_are_those_of_mask_rcnn(batch: Any) -> None:
    panoptic, plain = _build("panoptic", "bilinear"), _build("instance", "bilinear")
    assert isinstance(panoptic, PanopticFPN)
    assert type(plain) is MaskRCNN
    weights = {k: v for k, v in panoptic.state_dict().items() if not k.startswith("branch.")}
    plain.load_state_dict(weights)
    images, targets = batch
    torch.manual_seed(0)
    losses = panoptic(images, targets)
    torch.manual_seed(0)
    expected = plain(images, targets)
    assert all(torch.equal(losses[k], expected[k]) for k in expected)
    with torch.no_grad():
        found, expected = panoptic.eval()(images), plain.eval()(images)
    for one, other in zip(found, expected):
        assert one.pop("semantic").shape == (5, SIZE, SIZE)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[k], other[k]) for k in other)


def test_images_of_other_sizes_keep_their_own(batch: Any) -> None:
    model = _build("panoptic", "bilinear").eval()
    images = [torch.rand(3, 50, 70), torch.rand(3, 61, 40)]
    with torch.no_grad():
        found = model(images)
    assert [tuple(one["semantic"].shape[1:]) for one in found] == [(50, 70), (61, 40)]


def test_semantic_branch_reads_every_level() -> None:
    branch = SemanticBranch(8, 3, 4, 16)
    maps = [torch.randn(1, 8, n, n, requires_grad=True) for n in (25, 13, 7, 4)]
    scores = branch(maps)
    assert scores.shape == (1, 3, 25, 25)
    scores.square().sum().backward()
    assert all(x.grad.abs().max() > 0 for x in maps)
    # One step to each doubling; the finest level has one without.
    assert [len(steps) for steps in branch.climb] == [1, 1, 2, 3]

from pathlib import Path

import pytest
import torch
from torchvision.tv_tensors import BoundingBoxes, Image, Mask

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.panoptic import instances
from dysample.workbench.data.transforms import (
    Fit,
    KeepTrainable,
    evaluation_transform,
    training_transform,
)
from support.layouts import LAYOUTS

SIZE = (40, 48)
PADDING = (124, 116, 104)
NAMES = {
    "semantic": "voc",
    "detection": "coco_detection",
    "instance": "coco_instance",
    "panoptic": "coco_panoptic",
    "depth": "nyu",
}


def scene(kind: str, height: int = 30, width: int = 60) -> tuple[Image, object]:
    """Grey with a white rectangle, rows 5-19 and columns 10-29, that the target tells of."""
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[5:20, 10:30] = True
    image = Image(torch.where(inside, 255, 100).to(torch.uint8).expand(3, -1, -1).clone())
    if kind == "semantic":
        return image, Mask(inside.long())
    if kind == "depth":
        return image, Mask(torch.where(inside, 2.5, 1.5))
    if kind == "panoptic":
        names = ("categories", "isthing", "iscrowd")
        table = zip(names, torch.tensor([[3, 1], [0, 1], [0, 0]]))
        target = {**dict(table), "segments": Mask(inside.long()), "image_id": 4}
        return image, {**target, "isthing": target["isthing"].bool()}
    target = {
        "boxes": BoundingBoxes(
            torch.tensor([[10.0, 5, 30, 20], [0, 0, 60, 30]]), format="XYXY", canvas_size=(30, 60)
        ),
        "labels": torch.tensor([1, 2]),
        "iscrowd": torch.tensor([0, 1]),
        "area": torch.tensor([300.0, 1800.0]),
        "image_id": 4,
    }
    if kind == "instance":
        target["masks"] = Mask(torch.stack([inside, torch.ones_like(inside)]).to(torch.uint8))
    return image, target


def inside_of(kind: str, target: object) -> torch.Tensor | None:
    """Where the target says the rectangle is; None if it tells of none."""
    if kind == "semantic":
        return target == 1
    if kind == "depth":
        return target == 2.5
    if kind == "panoptic":
        return target["segments"] == 1
    return target["masks"][0].bool() if len(target["labels"]) else None


@pytest.mark.parametrize("kind", ["semantic", "instance", "panoptic", "depth"])
def test_labels_stay_on_their_pixels(kind: str) -> None:
    transform = training_transform(kind, SIZE)
    widths, compared, padded = set(), 0, 0
    for seed in range(40):
        torch.manual_seed(seed)
        image, target = transform(*scene(kind))
        assert (image.shape, image.dtype) == ((3, *SIZE), torch.float32)
        assert 0 <= image.min() <= image.max() <= 1
        inside = inside_of(kind, target)
        if inside is None or not inside.any():
            continue
        widths.add(int(inside.any(0).sum()))
        # What is labelled as inside is brighter than all the rest, but for the blurred rim: colours
        # are changed everywhere in the same way.
        bright = image.sum(0)
        empty = ((image * 255).round() == torch.tensor(PADDING)[:, None, None]).all(0)
        padded += bool(empty.any())
        assert not (empty & inside).any()
        if kind != "instance":
            labels = target["segments"] if kind == "panoptic" else target
            assert (labels[empty] == {"semantic": 255, "panoptic": -1, "depth": 0}[kind]).all()
        shown = ~empty
        shown[1:] &= inside[1:] == inside[:-1]
        shown[:-1] &= inside[1:] == inside[:-1]
        shown[:, 1:] &= inside[:, 1:] == inside[:, :-1]
        shown[:, :-1] &= inside[:, 1:] == inside[:, :-1]
        if (shown & ~inside).any() and (shown & inside).any():
            compared += 1
            assert bright[shown & inside].min() > bright[shown & ~inside].max() + 0.01
    assert compared > 20
    assert padded > 5
    assert len(widths) > 5 if kind != "depth" else widths == {16}


def test_boxes_follow_their_masks() -> None:
    transform = training_transform("instance", SIZE)
    seen = 0
    for seed in range(40):
        torch.manual_seed(seed)
        _, target = transform(*scene("instance"))
        assert 2 not in target["labels"]  # the crowd is not trained on
        for mask, (x1, y1, x2, y2) in zip(target["masks"], target["boxes"].tolist()):
            ys, xs = mask.nonzero(as_tuple=True)
            assert abs(int(xs.min()) - x1) < 1
            assert abs(int(xs.max()) + 1 - x2) < 1
            assert abs(int(ys.min()) - y1) < 1
            assert abs(int(ys.max()) + 1 - y2) < 1
            seen += 1
    assert seen > 20


def test_an_object_without_a_pixel_left_is_not_trained_on() -> None:
    """Its box may still hold some, as the box of a ring does of its hole."""
    image, target = scene("instance")
    target["iscrowd"][1] = 0
    target["masks"][0] = 0
    _, kept = KeepTrainable()(image, target)
    assert kept["labels"].tolist() == [2]
    assert kept["boxes"].tolist() == [[0, 0, 60, 30]]
    assert len(kept["masks"]) == len(kept["area"]) == len(kept["iscrowd"]) == 1
    assert kept["image_id"] == 4


def test_masks_are_read_at_the_centres_of_pixels() -> None:
    """A ramp on both: labels and image must agree on every pixel, small or large."""
    ramp = torch.arange(60).expand(30, 60)
    for size in ((10, 20), (15, 30), (60, 120)):
        image, labels = Fit(size, (1.0, 1.0))(
            Image(ramp.to(torch.uint8).expand(3, -1, -1).clone()), Mask(ramp.clone())
        )
        assert image.shape[-2:] == labels.shape == size
        difference = (image[0].float() - labels)[:, 2:-2]  # the border is not a ramp
        assert difference.abs().max() <= 1
        assert difference.mean().abs() < 0.6


@pytest.mark.parametrize(("kind", "least"), [("semantic", 0.5), ("panoptic", 0.5), ("depth", 1)])
def test_scales(kind: str, least: float) -> None:
    """From half to twice the fitting size: a rectangle of 20 columns in an image of 60."""
    whole = max(30 * 40 / 30, 60 * 48 / 60, 80) if kind == "semantic" else 48
    transform = training_transform(kind, SIZE)
    shares = []
    for seed in range(60):
        torch.manual_seed(seed)
        inside = inside_of(kind, transform(*scene(kind))[1])
        # Rectangles that the crop has not cut.
        if inside.any() and not inside[:, 0].any() and not inside[:, -1].any():
            shares.append(int(inside.any(0).sum()) / (20 / 60 * whole))
    assert least - 0.04 <= min(shares) <= least + 0.1
    assert max(shares) <= (1.01 if kind == "depth" else 2)


def test_padding_is_nothing() -> None:
    _, labels = evaluation_transform("semantic", SIZE)(*scene("semantic"))
    assert (labels[24:] == 255).all()
    assert (labels[:24] != 255).all()
    _, target = evaluation_transform("panoptic", SIZE)(*scene("panoptic"))
    assert (target["segments"][24:] == -1).all()
    _, depth = evaluation_transform("depth", SIZE)(*scene("depth"))
    assert (depth[24:] == 0).all()


def test_evaluation_keeps_every_object_and_scales_it() -> None:
    image, target = evaluation_transform("instance", (15, 30))(*scene("instance"))
    assert image.shape == (3, 15, 30)
    assert target["boxes"].tolist() == [[5, 2.5, 15, 10], [0, 0, 30, 15]]
    assert target["area"].tolist() == [75, 450]
    assert target["iscrowd"].tolist() == [0, 1]


def test_evaluation_as_it_is() -> None:
    image, target = scene("instance")
    same, kept = evaluation_transform("instance")(image, target)
    torch.testing.assert_close(same, image.as_subclass(torch.Tensor) / 255)
    assert torch.equal(kept["boxes"], target["boxes"].as_subclass(torch.Tensor))


def test_mirrored_half_of_the_time() -> None:
    transform = training_transform("depth", (30, 60))
    left = 0
    for seed in range(60):
        torch.manual_seed(seed)
        _, depth = transform(*scene("depth"))
        assert {1.5, 2.5} == set(depth.unique().tolist())
        left += bool((depth[5:20, 10:30] == 2.5).all())
    assert 18 < left < 42


def test_a_seed_decides(tmp_path: Path) -> None:
    data = open_data(f"voc:{LAYOUTS['voc'](tmp_path)}", "train")
    data = data.transformed(training_transform("semantic", SIZE))
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(data[0])
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert torch.equal(drawn[0][1], drawn[1][1])
    assert not torch.equal(drawn[0][0], drawn[2][0])


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_every_kind_from_disk(tmp_path: Path, kind: str) -> None:
    name = NAMES[kind]
    data = open_data(f"{name}:{LAYOUTS[name](tmp_path)}", "train")
    for transform in (training_transform(kind, SIZE), evaluation_transform(kind, SIZE)):
        for image, target in data.transformed(transform):
            assert image.shape == (3, *SIZE)
            assert type(image) is torch.Tensor
            values = target.values() if isinstance(target, dict) else [target]
            assert {type(value) for value in values} <= {torch.Tensor, int}
            if kind == "panoptic":
                assert instances(target, [0, 1])["masks"].shape[1:] == SIZE
            if kind in ("detection", "instance"):
                count = len(target["labels"])
                names = ("boxes", "iscrowd", "area", *(["masks"] if kind == "instance" else []))
                assert all(len(target[name]) == count for name in names)

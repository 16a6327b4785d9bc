import math
from collections import Counter, defaultdict

import pytest
import torch
from torch import Tensor
from torchvision.tv_tensors import Mask

from dysample.workbench.data.targets import VOID, PanopticTarget
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.metrics.panoptic_quality import PanopticQuality, merge_panoptic

CAR, CAT, SKY = 0, 1, 2


def make_target(segments: Tensor, categories: list[int], crowds: list[int]) -> PanopticTarget:
    kinds = torch.tensor(categories)
    crowd = torch.tensor([int(k in crowds) for k in range(len(categories))])
    return PanopticTarget(
        segments=Mask(segments), categories=kinds, isthing=kinds < SKY, iscrowd=crowd, image_id=0
    )


@pytest.fixture
def target() -> PanopticTarget:
    """Rows 0-1 void, 2-3 sky, 4-5 a cat on the left and a crowd of cars on the right."""
    segments = torch.full((6, 8), VOID)
    segments[2:4], segments[4:, :4], segments[4:, 4:] = 0, 1, 2
    return make_target(segments, [SKY, CAT, CAR], crowds=[2])


def shown(target: PanopticTarget) -> Tensor:
    """The truth as a prediction."""
    categories = torch.cat([target["categories"], torch.tensor([IGNORE])])
    segments = target["segments"].as_subclass(Tensor)
    return torch.stack([categories[segments], (segments + 1) % 99], dim=-1)


def quality(prediction: Tensor, target: PanopticTarget) -> Tensor:
    metric = PanopticQuality(3)
    metric.update(prediction, target)
    return metric.compute()


def test_the_truth_has_quality_1_and_absent_classes_none(target: PanopticTarget) -> None:
    found = quality(shown(target), target)
    assert found[CAR].isnan().all()
    assert (found[[CAT, SKY]] == 1).all()


def test_void_and_a_crowd_of_the_class_are_forgiven(target: PanopticTarget) -> None:
    prediction = shown(target)
    prediction[:2] = torch.tensor([CAT, 7])
    prediction[4:, 4:6] = torch.tensor([CAR, 8])
    found = quality(prediction, target)
    assert found[CAR].isnan().all()
    assert (found[[CAT, SKY]] == 1).all()
    # A cat on the crowd of cars is wrong.
    prediction[4:, 6:] = torch.tensor([CAT, 9])
    assert quality(prediction, target)[CAT].tolist() == pytest.approx([2 / 3, 1, 2 / 3])


def test_an_object_under_void_is_missed(target: PanopticTarget) -> None:
    prediction = shown(target)
    prediction[4:, :4] = torch.tensor([IGNORE, 0])
    assert quality(prediction, target)[CAT].tolist() == [0, 0, 0]
    # Half of the sky: void next to a segment makes its IoU no larger.
    prediction = shown(target)
    prediction[2, :6] = torch.tensor([IGNORE, 0])
    assert quality(prediction, target)[SKY].tolist() == pytest.approx([10 / 16, 10 / 16, 1])


def test_a_wrong_class_is_missed_and_wrong(target: PanopticTarget) -> None:
    prediction = shown(target)
    prediction[4:, :4, 0] = CAR
    found = quality(prediction, target)
    assert found[[CAR, CAT], 0].tolist() == [0, 0]
    # A quarter of the cat is seen as sky: IoU 6/8, and 16/18 of the sky.
    partly = shown(target)
    partly[4, :2] = partly[2, 0]
    assert quality(partly, target)[[CAT, SKY], 0].tolist() == pytest.approx([6 / 8, 16 / 18])


def test_segments_that_a_crop_removed_are_not_missed(target: PanopticTarget) -> None:
    prediction = shown(target)[:4]
    target["segments"] = target["segments"][:4]
    assert quality(prediction, target)[:2].isnan().all()


def slow(images: list[tuple[Tensor, PanopticTarget]]) -> dict[int, float]:
    """PQ by class, pixel by pixel, from the definition."""
    iou: dict[int, float] = defaultdict(float)
    matched, wrong, missed = Counter(), Counter(), Counter()
    for prediction, target in images:
        pairs = Counter()
        truth = target["segments"].flatten().tolist()
        for (category, instance), segment in zip(prediction.flatten(0, 1).tolist(), truth):
            pairs[(category, instance), segment] += 1
        kinds, crowds = target["categories"].tolist(), target["iscrowd"].tolist()
        ours = {one for one, _ in pairs if one[0] != IGNORE}
        theirs = {segment for _, segment in pairs if segment != VOID}
        area, size = Counter(), Counter()
        for (one, segment), n in pairs.items():
            area[one] += n
            size[segment] += n
        right, hit = set(), set()
        for one in ours:
            for segment in theirs:
                if kinds[segment] != one[0] or crowds[segment]:
                    continue
                both = pairs[one, segment]
                ratio = both / (area[one] - pairs[one, VOID] + size[segment] - both)
                if ratio > 0.5:
                    iou[one[0]] += ratio
                    matched[one[0]] += 1
                    right.add(one)
                    hit.add(segment)
        for segment in theirs - hit:
            missed[kinds[segment]] += not crowds[segment]
        for one in ours - right:
            crowd = [s for s in theirs if crowds[s] and kinds[s] == one[0]]
            forgiven = pairs[one, VOID] + sum(pairs[one, s] for s in crowd)
            wrong[one[0]] += forgiven <= 0.5 * area[one]
    return {
        c: iou[c] / total
        for c in range(3)
        if (total := matched[c] + 0.5 * wrong[c] + 0.5 * missed[c]) > 0
    }


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_definition(seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    metric, images = PanopticQuality(3), []
    for _ in range(2):
        segments = torch.randint(VOID, 5, (4, 6), generator=source)
        kinds = [*torch.randint(0, 2, (4,), generator=source).tolist(), SKY]
        target = make_target(segments, kinds, crowds=[3])
        prediction = shown(target)
        changed = torch.rand(4, 6, generator=source) < 0.3
        other = torch.tensor([[CAR, 7], [CAT, 8], [SKY, 0], [IGNORE, 0]])
        prediction[changed] = other[torch.randint(0, 4, (4, 6), generator=source)][changed]
        metric.update(prediction, target)
        images.append((prediction, target))
    found, wanted = metric.compute()[:, 0].tolist(), slow(images)
    for c in range(3):
        assert math.isnan(found[c]) if c not in wanted else math.isclose(found[c], wanted[c])


FLOOR, WALL, ANY = 0, 1, 2  # two stuff classes; things from category 2 on
HEIGHT, WIDTH = 10, 12


def _mask(*columns: int) -> Tensor:
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, list(columns)] = True
    return mask


def _merge(masks: list[Tensor], labels: list[int], scores: list[float], semantic: Tensor) -> Tensor:
    stack = torch.stack(masks) if masks else torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool)
    return merge_panoptic(stack, torch.tensor(labels), torch.tensor(scores), semantic, 2)


def test_the_better_instance_takes_the_pixels_and_stuff_the_rest() -> None:
    semantic = torch.full((HEIGHT, WIDTH), WALL)
    semantic[:, 6:] = ANY
    out = _merge([_mask(0, 1, 2), _mask(2, 3, 4)], [1, 3], [0.6, 0.9], semantic)
    assert out[0, :, 0].tolist() == [2, 2, 4, 4, 4, 1, *[IGNORE] * 6]
    assert out[0, :, 1].tolist() == [2, 2, 1, 1, 1, 0, *[0] * 6]
    assert (out == out[:1]).all()


def test_a_low_score_or_too_much_overlap_leaves_an_instance_out() -> None:
    semantic = torch.full((HEIGHT, WIDTH), FLOOR)
    masks = [_mask(0, 1, 2), _mask(1, 2, 3), _mask(5), _mask(2, 3, 4, 6)]
    out = _merge(masks, [1, 1, 1, 1], [0.9, 0.8, 0.49, 0.7], semantic)
    # The second has a third of its pixels left, the fourth three quarters.
    assert out[0, :, 1].tolist() == [1, 1, 1, 2, 2, 0, 2, 0, 0, 0, 0, 0]


def test_an_empty_mask_takes_no_number() -> None:
    out = _merge([_mask(), _mask(1)], [1, 1], [0.9, 0.8], torch.full((HEIGHT, WIDTH), FLOOR))
    assert out[0, :3].tolist() == [[0, 0], [2, 1], [0, 0]]


def test_small_stuff_is_void() -> None:
    semantic = torch.full((HEIGHT, WIDTH), WALL)
    semantic[0, 0] = FLOOR  # 1 of 120 pixels, less than 1 of 75
    out = _merge([], [], [], semantic)
    assert out[0, 0].tolist() == [IGNORE, 0]
    semantic[0, 1] = FLOOR
    assert _merge([], [], [], semantic)[0, 0].tolist() == [FLOOR, 0]

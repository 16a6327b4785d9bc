import torch
from torch import Tensor

from dysample.workbench.boundary import IGNORE
from dysample.workbench.panoptic import merge_panoptic

FLOOR, WALL, ANY = 0, 1, 2  # two stuff classes; things from category 2 on
H, W = 10, 12


def _mask(*columns: int) -> Tensor:
    mask = torch.zeros(H, W, dtype=torch.bool)
    mask[:, list(columns)] = True
    return mask


def _merge(masks: list[Tensor], labels: list[int], scores: list[float], semantic: Tensor) -> Tensor:
    stack = torch.stack(masks) if masks else torch.zeros(0, H, W, dtype=torch.bool)
    return merge_panoptic(stack, torch.tensor(labels), torch.tensor(scores), semantic, 2)


def test_the_better_instance_takes_the_pixels_and_stuff_the_rest() -> None:
    semantic = torch.full((H, W), WALL)
    semantic[:, 6:] = ANY
    out = _merge([_mask(0, 1, 2), _mask(2, 3, 4)], [1, 3], [0.6, 0.9], semantic)
    assert out[0, :, 0].tolist() == [2, 2, 4, 4, 4, 1, *[IGNORE] * 6]
    assert out[0, :, 1].tolist() == [2, 2, 1, 1, 1, 0, *[0] * 6]
    assert (out == out[:1]).all()


def test_a_low_score_or_too_much_overlap_leaves_an_instance_out() -> None:
    semantic = torch.full((H, W), FLOOR)
    masks = [_mask(0, 1, 2), _mask(1, 2, 3), _mask(5), _mask(2, 3, 4, 6)]
    out = _merge(masks, [1, 1, 1, 1], [0.9, 0.8, 0.49, 0.7], semantic)
    # The second has a third of its pixels left, the fourth three quarters.
    assert out[0, :, 1].tolist() == [1, 1, 1, 2, 2, 0, 2, 0, 0, 0, 0, 0]


def test_an_empty_mask_takes_no_number() -> None:
    out = _merge([_mask(), _mask(1)], [1, 1], [0.9, 0.8], torch.full((H, W), FLOOR))
    assert out[0, :3].tolist() == [[0, 0], [2, 1], [0, 0]]


def test_small_stuff_is_void() -> None:
    semantic = torch.full((H, W), WALL)
    semantic[0, 0] = FLOOR  # 1 of 120 pixels, less than 1 of 75
    out = _merge([], [], [], semantic)
    assert out[0, 0].tolist() == [IGNORE, 0]
    semantic[0, 1] = FLOOR
    assert _merge([], [], [], semantic)[0, 0].tolist() == [FLOOR, 0]

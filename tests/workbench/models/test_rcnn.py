from typing import Any

import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn

from dysample.workbench.costs.models import model_parameters
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.rcnn import build_rcnn
from support.refusals import refused


@pytest.mark.parametrize(
    ("kind", "depth", "total"),
    [
        ("detection", 50, 41_755_286),  # torchvision's `num_params` of its weights on COCO
        ("instance", 50, 44_401_393),
        ("detection", 101, 60_695_190),  # 18,939,904 more, as ResNet-101 without frozen norms
    ],
)
def test_parameters_are_those_of_the_published_weights(kind: Any, depth: Any, total: int) -> None:
    model = build_rcnn(kind, depth, "nearest", {}, 90, 0)
    assert model_parameters(model) == {"total": total, "upsamplers": 0}


@pytest.mark.parametrize(
    ("name", "thousands"),
    # `dysample cost --published`: Panoptic FPN R50, with the biases that the paper leaves out.
    [("dysample", 24.6 + 0.1), ("dysample_plus", 49.2 + 0.1), ("dysample_s_plus", 6.2)],
)
def test_upsamplers_add_what_the_paper_prints(name: str, thousands: float) -> None:
    model = build_rcnn("panoptic", 50, name, {}, 80, 0, stuff=53)
    found = model_parameters(model)
    assert found["upsamplers"] / 1000 == pytest.approx(thousands, abs=0.06)
    # Panoptic FPN R50 has 46 M.
    assert (found["total"] - found["upsamplers"]) / 1e6 == pytest.approx(46.0, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "stock"),
    [("detection", fasterrcnn_resnet50_fpn), ("instance", maskrcnn_resnet50_fpn)],
)
def test_stock_weights_load_with_only_the_upsamplers_missing(kind: Any, stock: Any) -> None:
    model = build_rcnn(kind, 50, "dysample", {}, 90, 0)
    weights = stock(weights=None, weights_backbone=None).state_dict()
    shapes = {k: v.shape for k, v in weights.items() if "num_batches_tracked" not in k}
    ours = {k: v.shape for k, v in model.state_dict().items()}
    assert {k: v for k, v in ours.items() if "upsamplers" not in k} == shapes
    assert any(k.startswith("backbone.fpn.upsamplers.") for k in ours)


@pytest.mark.parametrize("kind", ["detection", "instance", "panoptic"])
def test_one_step(kind: Any) -> None:
    model = build_rcnn(kind, 50, "fade", {}, 4, 0, stuff=2)
    # Small images and few boxes: the step is the same, and takes seconds.
    model.transform.min_size, model.transform.max_size = (75,), 90
    model.rpn._post_nms_top_n = {"training": 20, "testing": 5}
    target = {
        "boxes": torch.tensor([[5.0, 5.0, 40.0, 60.0]]),
        "labels": torch.tensor([2]),
        "masks": torch.zeros(1, 75, 85, dtype=torch.uint8),
        "semantic": torch.ones(75, 85, dtype=torch.int64),
    }
    target["masks"][0, 5:60, 5:40] = 1
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    sum(model([torch.rand(3, 75, 85)], [target]).values()).backward()
    for up in find_upsamplers(model):
        before = [p.detach().clone() for p in up.parameters()]
        optimizer.step()
        assert any(not torch.equal(a, b) for a, b in zip(before, up.parameters()))
    with torch.no_grad():
        (found,) = model.eval()([torch.rand(3, 75, 85)])
    assert {"boxes", "labels", "scores"} <= found.keys()


def test_unknown_kind() -> None:
    with refused(r"`kind` \(='keypoint'\) must be one of detection, inst"):
        build_rcnn("keypoint", 50, "nearest", {}, 1, 0)  # type: ignore[arg-type]

import pytest
import torch
import torch.nn.functional as F

from dysample.workbench.costs.models import model_parameters
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.segformer import build_segformer
from support.refusals import refused


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("b0", 3.75),  # the paper prints 3.8, 13.7
        ("b1", 13.716),
    ],
)
def test_published_parameters(name: str, millions: float) -> None:
    found = model_parameters(build_segformer(name, "bilinear", {}, 150, 0))
    assert found["total"] / 1e6 == pytest.approx(millions, abs=0.0051 if name == "b0" else 0.0005)
    assert found["upsamplers"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "millions"), [("b2", 27.5), ("b3", 47.3), ("b4", 64.1), ("b5", 84.7)]
)
def test_published_parameters_of_the_large_ones(name: str, millions: float) -> None:
    found = model_parameters(build_segformer(name, "bilinear", {}, 150, 0))
    assert found["total"] / 1e6 == pytest.approx(millions, abs=0.15)


def test_carafe_adds_what_the_paper_prints() -> None:
    found = model_parameters(build_segformer("b1", "carafe", {}, 150, 0))
    assert found["upsamplers"] / 1e6 == pytest.approx(0.44, abs=0.005)


def test_one_step_at_a_size_that_32_does_not_divide() -> None:
    model = build_segformer("b0", "fade", {}, 5, 0)
    scores = model(torch.randn(2, 3, 70, 90))
    assert scores.shape == (2, 5, 70, 90)
    F.cross_entropy(scores, torch.randint(0, 5, (2, 70, 90))).backward()
    ups = find_upsamplers(model)
    assert len(ups) == 6
    assert all(any(p.grad.abs().max() > 0 for p in up.parameters()) for up in ups)
    assert all(
        p.grad is not None for name, p in model.named_parameters() if "layernorm" not in name
    )


def test_unknown_size() -> None:
    with refused(r"`name` \(='b6'\) must be one of b0, b1"):
        build_segformer("b6", "nearest", {}, 2, 0)

import pytest
import torch
from transformers import MaskFormerForInstanceSegmentation

from dysample.workbench.costs.models import model_parameters
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.maskformer import build_maskformer


def test_published_parameters_of_the_small_one() -> None:
    found = model_parameters(build_maskformer("tiny", "carafe", {}, 150, 0))
    # 42 M in the paper; 0.22 M as in `dysample cost --published`.
    assert (found["total"] - found["upsamplers"]) / 1e6 == pytest.approx(42, abs=0.5)
    assert found["upsamplers"] / 1e6 == pytest.approx(0.22, abs=0.005)


@pytest.mark.slow
def test_published_parameters_of_the_base() -> None:
    found = model_parameters(build_maskformer("base", "nearest", {}, 150, 0))
    assert found["total"] / 1e6 == pytest.approx(102, abs=0.5)


def test_one_step_and_stock_weights() -> None:
    model = build_maskformer("tiny", "dysample", {}, 7, 0)
    image = torch.randn(1, 3, 70, 90)
    masks = torch.zeros(2, 70, 90)
    masks[0, :30] = masks[1, 30:] = 1
    loss = model(pixel_values=image, mask_labels=[masks], class_labels=[torch.tensor([3, 5])]).loss
    loss.backward()
    ups = find_upsamplers(model)
    assert len(ups) == 3
    assert all(up.offset.weight.grad.abs().max() > 0 for up in ups)

    stock = MaskFormerForInstanceSegmentation(model.config)
    missing, unexpected = model.load_state_dict(stock.state_dict(), strict=False)
    assert not unexpected
    assert missing
    assert all(".upsamplers." in key for key in missing)


def test_with_nearest_it_is_the_stock_model() -> None:
    model = build_maskformer("tiny", "nearest", {}, 7, 0).eval()
    stock = MaskFormerForInstanceSegmentation(model.config).eval()
    stock.load_state_dict(model.state_dict())
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        found, expected = model(image), stock(image)
    assert torch.equal(found.masks_queries_logits, expected.masks_queries_logits)

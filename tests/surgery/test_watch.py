"""What a watched run sees: also outside of forwards, and behind TorchScript."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.surgery import find_sites, replace_upsamplers
from support.surgery_net import IMAGES, Small


def enlarged(module: nn.Module, given: object, out: Tensor) -> Tensor:
    return F.interpolate(out, scale_factor=2, mode="bilinear")


def test_a_hook_of_the_whole_model() -> None:
    model = Small()
    model.register_forward_hook(enlarged)
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert [(d.site.name, d.action, d.reason) for d in report.decisions] == [
        (":0", "replaced", "unchanged at first"),
        (":1", "left alone", "logits or masks: no learned layer after it"),
    ]
    torch.testing.assert_close(new(IMAGES), model(IMAGES), rtol=0, atol=1e-5)


class OwnCall(Small):
    def __call__(self, x: Tensor) -> Tensor:
        return self.head(F.interpolate(super().__call__(x), scale_factor=2, mode="bilinear"))

    def forward(self, x: Tensor) -> Tensor:
        return self.stem(x)


def test_a_step_outside_of_the_forward_is_refused() -> None:
    with pytest.raises(
        ValueError, match=":0: its upsampler does not run in eval mode: the forward"
    ):
        replace_upsamplers(OwnCall(), "dysample", example_inputs=IMAGES)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_a_scripted_module_with_learned_layers() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1)))
    up = nn.Upsample(scale_factor=2, mode="bilinear")
    model = nn.Sequential(scripted, up, nn.Conv2d(8, 2, 1))
    (site,) = find_sites(model, IMAGES)
    assert site.why_not_features is None
    new, _ = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    torch.testing.assert_close(new(IMAGES), model(IMAGES), rtol=0, atol=1e-5)

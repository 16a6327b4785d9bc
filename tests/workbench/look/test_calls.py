import pytest
import torch
from torch import nn

from dysample import DySample
from dysample.calls import record_calls
from dysample.workbench.look.calls import choose_call


def test_the_last_of_the_largest_is_looked_at() -> None:
    model = nn.Sequential()
    model.fine, model.coarse, model.same = DySample(8), DySample(8), DySample(8, 1)
    calls, _ = record_calls(model, lambda: model(torch.randn(1, 8, 4, 5)))
    assert choose_call(calls, None).site == "same"
    assert choose_call(calls, "fine").site == "fine"
    with pytest.raises(ValueError, match=r"`site` \(='x'\) must be one of fine, coarse, same"):
        choose_call(calls, "x")
    with pytest.raises(ValueError, match="must call an upsampler of dysample, but called none"):
        choose_call([], None)

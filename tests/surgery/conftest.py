"""A model with three steps that are replaced."""

from __future__ import annotations

import pytest
from torch import nn

from dysample.surgery import replace_upsamplers
from support.surgery_net import IMAGE, Net


@pytest.fixture
def net() -> Net:
    return Net().eval()


@pytest.fixture
def new(net: Net) -> nn.Module:
    return replace_upsamplers(net, "dysample", example_inputs=IMAGE)[0]

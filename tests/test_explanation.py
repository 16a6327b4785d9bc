"""What ran the primitives of a module, as a table."""

from __future__ import annotations

import torch
from torch import nn

import dysample
from dysample.backends.cpu import library
from support.operators import needs_kernels


def test_explain_tells_what_ran() -> None:
    with dysample.backend("eager"):
        explanation = dysample.explain(dysample.DySample(8), torch.zeros(1, 8, 4, 4))
    reason = "the backend is set to 'eager'"
    assert [(c.primitive, c.backend, c.why_not) for c in explanation.choices] == [
        ("offset_field", "eager", reason),
        ("point_sample", "eager", reason),
    ]
    assert str(explanation).splitlines() == [
        f"offset_field    eager: no fused kernel, since {reason}",
        f"point_sample    eager: no fused kernel, since {reason}",
    ]


@needs_kernels
def test_explain_counts_equal_calls_of_a_model() -> None:
    model = nn.Sequential(dysample.CARAFE(4), nn.ReLU(), dysample.CARAFE(4), dysample.DySample(4))
    with dysample.backend("auto"):
        text = str(dysample.explain(model, torch.zeros(1, 4, 2, 2)))
    isa = library.isa
    assert text.splitlines() == [
        f"reassemble      cpu ({isa}) (2 calls)",
        f"offset_field    cpu ({isa})",
        f"point_sample    cpu ({isa})",
    ]


def test_explain_of_a_plain_torch_model() -> None:
    text = str(dysample.explain(nn.Upsample(scale_factor=2), torch.zeros(1, 1, 2, 2)))
    assert text == "no primitive of dysample was called"


def test_explain_hands_on_keywords_and_takes_no_gradient() -> None:
    seen = []
    up = dysample.CARAFE(4)
    up.register_forward_hook(lambda module, inputs, out: seen.append((out.shape, out.grad_fn)))
    dysample.explain(up, torch.zeros(1, 4, 2, 2), size=(3, 5))
    assert seen == [((1, 4, 3, 5), None)]


def test_explain_leaves_the_model_as_it_was() -> None:
    up = dysample.IndexNet(8).train()
    frozen = next(m for m in up.modules() if isinstance(m, nn.BatchNorm2d)).eval()
    before = {name: value.clone() for name, value in up.state_dict().items()}
    dysample.explain(up, torch.randn(2, 8, 2, 2), torch.randn(2, 8, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in up.state_dict().items())
    assert up.training
    assert not frozen.training

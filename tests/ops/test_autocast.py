"""Under autocast: features in its dtype, positions and logits with all their bits."""

from __future__ import annotations

import pytest
import torch

import dysample
from dysample import functional

pytestmark = pytest.mark.usefixtures("backend")
each_dtype = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)


@each_dtype
def test_primitives_keep_the_dtype_of_their_features(dtype: torch.dtype) -> None:
    x, offset = torch.randn(1, 4, 3, 4), torch.randn(1, 4, 6, 8)
    weight = torch.randn(1, 2, 9, 6, 8)
    with torch.autocast("cpu", dtype=dtype):
        for features in (x, x.to(dtype)):
            assert functional.point_sample(features, offset).dtype == features.dtype
            assert functional.reassemble(features, weight, softmax=True).dtype == features.dtype
        assert functional.affinity(x, x, 3).dtype == torch.float32
        assert functional.affinity(x.to(dtype), x.to(dtype), 3).dtype == torch.float32
    # Nothing was rounded on the way.
    with torch.autocast("cpu", dtype=dtype):
        ours = functional.point_sample(x, offset), functional.reassemble(x, weight)
    assert torch.equal(ours[0], functional.point_sample(x, offset))
    assert torch.equal(ours[1], functional.reassemble(x, weight))


@each_dtype
@pytest.mark.parametrize("dyscope", [False, True])
def test_offsets_stay_float32_on_the_kernels(dtype: torch.dtype, dyscope: bool, backend) -> None:
    up = dysample.DySample(8, groups=2, dyscope=dyscope)
    torch.nn.init.normal_(up.offset.weight, std=4)
    x = torch.randn(1, 8, 5, 6)
    exact = up.double().offsets(x.to(dtype).double())
    up.float()
    with torch.autocast("cpu", dtype=dtype):
        for features in (x, x.to(dtype)):
            field, out = up.offsets(features), up(features)
            assert field.dtype == (torch.float32 if backend == "cpu" else dtype)
            assert out.dtype == features.dtype
    if backend == "cpu":  # the offsets are as exact as the features
        torch.testing.assert_close(field.double(), exact, rtol=1e-5, atol=1e-5)


@each_dtype
def test_gradients_under_autocast(dtype: torch.dtype) -> None:
    for up, others in (
        (dysample.DySample(8, groups=2, dyscope=True), ()),
        (dysample.CARAFE(8, up_kernel=3), ()),
        (dysample.SAPA(8, norm="layer"), (torch.randn(1, 8, 10, 12),)),
    ):
        x = torch.randn(1, 8, 5, 6, requires_grad=True)
        with torch.autocast("cpu", dtype=dtype):
            up(x, *others).square().mean().backward()
        assert x.grad.dtype == torch.float32
        assert all(p.grad.dtype == torch.float32 for p in up.parameters())
        half = x.grad.clone()
        x.grad = None
        up(x, *others).square().mean().backward()
        torch.testing.assert_close(half, x.grad, rtol=0.1, atol=2e-3)

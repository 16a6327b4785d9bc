"""One tester for the family: what holds for every registered upsampler."""

from __future__ import annotations

import copy

import pytest
import torch

import dysample
from dysample import create_upsampler, list_upsamplers
from tolerances import ATOL

C = 16
each_name = pytest.mark.parametrize("name", list_upsamplers())


def lively(name: str, scale_factor: float = 2, **options) -> dysample.Upsampler:
    """An upsampler in float64 whose weights are far from their calm start."""
    module = create_upsampler(name, C, scale_factor, **options).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return module


def features(batch: int = 2, height: int = 5, width: int = 7) -> torch.Tensor:
    return torch.randn(batch, C, height, width, dtype=torch.float64)


@each_name
@pytest.mark.parametrize(
    ("scale_factor", "size"),
    [
        (2, (10, 14)),
        (3, (15, 21)),
        (4.0, (20, 28)),
        (1.5, (7, 10)),  # floor, as torch.nn.Upsample
        (1, (5, 7)),
        (0.5, (2, 3)),
    ],
)
def test_scale_factor(name: str, scale_factor: float, size: tuple[int, int]) -> None:
    if scale_factor == 3 and getattr(create_upsampler(name, C), "style", "") == "pl":
        pytest.skip("pl needs channels divisible by scale^2")
    assert lively(name, scale_factor)(features()).shape == (2, C, *size)


@each_name
def test_any_target_size(name: str) -> None:
    up, x = lively(name), features()
    for size in ((13, 9), (9, 13), (10, 14), (5, 7), (3, 2), (1, 1)):
        assert up(x, size=size).shape == (2, C, *size)
    assert up(x, size=8).shape == (2, C, 8, 8)


@each_name
def test_size_at_a_whole_multiple_changes_nothing(name: str) -> None:
    up, x = lively(name), features()
    assert torch.equal(up(x, size=(10, 14)), up(x))


@each_name
def test_guide_gives_the_size(name: str) -> None:
    up, x = lively(name), features()
    guide = torch.randn(2, 3, 9, 13, dtype=torch.float64)
    assert torch.equal(up(x, guide), up(x, size=(9, 13)))
    assert torch.equal(up(x, guide, size=(9, 13)), up(x, guide))


@each_name
def test_out_channels(name: str) -> None:
    up = lively(name, out_channels=8)
    assert up.out_channels == 8
    assert up(features()).shape == (2, 8, 10, 14)


@each_name
def test_a_fractional_size_lies_near_the_whole_one(name: str) -> None:
    # One pixel less than twice the size moves no sample by more than half a low-res pixel, so a
    # smooth map stays put; an off-by-one in the field's index would not.
    up = create_upsampler(name, C).double()
    if name in ("deconv", "pixel_shuffle"):
        pytest.skip("learns its kernel from scratch: no smoothness to keep")
    ramp = torch.linspace(0, 1, 32, dtype=torch.float64)
    x = (ramp.view(-1, 1) + ramp).expand(1, C, 32, 32)
    inner = (slice(None), slice(None), slice(8, 54), slice(8, 54))
    whole, less = up(x)[inner], up(x, size=(63, 63))[inner]
    assert float((whole - less).detach().abs().max()) < 0.08


@each_name
def test_gradients_reach_every_parameter(name: str) -> None:
    up, x = lively(name), features().requires_grad_()
    up(x, size=(9, 13)).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    for key, parameter in up.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@each_name
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_low_precision(name: str, dtype: torch.dtype) -> None:
    up, x = lively(name).to(dtype), features().to(dtype)
    out = up(x)
    assert out.dtype == dtype
    # The convolutions before the sampling round in `dtype` too: ten times one rounding.
    error = (out.double() - copy.deepcopy(up).double()(x.double())).detach().abs().max()
    assert float(error) < 10 * ATOL[dtype] * max(1.0, float(out.detach().abs().max()))


@each_name
def test_autocast(name: str) -> None:
    up, x = lively(name).float(), features().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = up(x)
    assert float((out.float() - up(x)).detach().abs().max()) < 0.2


@each_name
def test_memory_formats(name: str) -> None:
    up, x = lively(name), features()
    last = up(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, up(x), rtol=0, atol=1e-12)
    assert last.is_contiguous(memory_format=torch.channels_last)
    strided = x.repeat_interleave(2, dim=-1)[..., ::2]
    torch.testing.assert_close(up(strided), up(x), rtol=0, atol=1e-12)


@each_name
def test_edges_of_shape(name: str) -> None:
    up = lively(name)
    assert up(features(batch=0)).shape == (0, C, 10, 14)
    assert up(features(height=1, width=1)).shape == (2, C, 2, 2)
    assert up(features(height=1, width=9), size=(3, 4)).shape == (2, C, 3, 4)


@each_name
def test_batch_elements_do_not_mix(name: str) -> None:
    up, x = lively(name), features()
    torch.testing.assert_close(up(x)[1:], up(x[1:]), rtol=0, atol=1e-12)


@each_name
def test_state_round_trip_and_copy(name: str) -> None:
    up, x = lively(name), features()
    other = create_upsampler(name, C).double()
    other.load_state_dict(up.state_dict())
    assert torch.equal(other(x), up(x))
    assert torch.equal(copy.deepcopy(up)(x), up(x))


@each_name
@pytest.mark.usefixtures("fresh_dynamo")
def test_compiles_to_one_graph(name: str) -> None:
    # Tracing 25 taps with symbolic sizes takes long; 9 show the same.
    up = lively(name, **({"up_kernel": 3} if name == "carafe" else {}))
    compiled = torch.compile(up, fullgraph=True, backend="aot_eager")
    for x in (features(), features(3, 8, 6)):
        torch.testing.assert_close(compiled(x), up(x))
    torch.testing.assert_close(compiled(x, size=(13, 9)), up(x, size=(13, 9)))


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize("name", ["carafe", "dysample", "dysample_s_plus"])
def test_compiles_with_inductor(name: str) -> None:
    exact = lively(name)
    up = copy.deepcopy(exact).float()
    x = features().float()
    expected = exact(x.double())
    compiled = torch.compile(up, fullgraph=True)(x)
    # Sums in another order: as exact as eager mode is, give or take.
    eager_error = float((up(x).double() - expected).detach().abs().max())
    assert compiled.dtype == torch.float32
    assert float((compiled.double() - expected).detach().abs().max()) < 3 * eager_error + 1e-6
    compiled.sum().backward()


@each_name
def test_macs_count_the_convolutions(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    up = create_upsampler(name, C)
    with FlopCounterMode(display=False) as counter:
        up(features(batch=1).float())
    counted = counter.get_total_flops() // 2
    per_output = {"nearest": 0, "deconv": 0, "pixel_shuffle": 0, "carafe": 25}.get(name, 4)
    assert up.macs(5, 7) == counted + per_output * C * 10 * 14


X = torch.zeros(2, C, 4, 4)


@each_name
@pytest.mark.parametrize(
    ("error", "match", "args", "size"),
    [
        (ValueError, r"`x` channels \(=3\) must equal the module's \(=16\)", (X[:, :3],), None),
        (ValueError, r"`x` must have 4 axes", (X[0],), None),
        (TypeError, "`x` must be floating, not torch.uint8", (X.byte(),), None),
        (TypeError, "`x` must be a tensor, not NoneType", (None,), None),
        (ValueError, r"`x` height \(=0\) must be at least 1", (X[:, :, :0],), None),
        (ValueError, r"`guide` batch \(=1\) must equal that of `x` \(=2\)", (X, X[:1]), None),
        (ValueError, "`guide` must have 4 axes", (X, X[0]), None),
        (
            ValueError,
            r"`guide` size \(=\(4, 4\)\) must equal `size` \(=\(8, 9\)\)",
            (X, X),
            (8, 9),
        ),
        (ValueError, r"`size\[0\]` \(=0\) must be at least 1", (X,), (0, 4)),
        (ValueError, r"`size` \(=\(1, 2, 3\)\) must have 2 entries", (X,), (1, 2, 3)),
        (TypeError, r"`size\[0\]` \(=2.5\) must be an integer", (X,), (2.5, 4)),
        (TypeError, r"`size` \(='8'\) must be an integer or \(height, width\)", (X,), "8"),
    ],
)
def test_refuses(name: str, error: type[Exception], match: str, args, size) -> None:
    with pytest.raises(error, match=match):
        create_upsampler(name, C)(*args, size=size)


@each_name
@pytest.mark.parametrize(
    ("error", "match", "in_channels", "scale_factor"),
    [
        (ValueError, r"`in_channels` \(=0\) must be at least 1", 0, 2),
        (TypeError, r"`in_channels` \(=16.0\) must be an integer", 16.0, 2),
        (ValueError, r"`scale_factor` \(=0\) must be finite and above 0", C, 0),
        (ValueError, r"`scale_factor` \(=inf\) must be finite and above 0", C, float("inf")),
        (TypeError, r"`scale_factor` \(='2'\) must be a number", C, "2"),
    ],
)
def test_constructor_refuses(
    name: str, error: type[Exception], match: str, in_channels, scale_factor
) -> None:
    with pytest.raises(error, match=match):
        create_upsampler(name, in_channels, scale_factor)


@each_name
def test_refuses_a_scale_that_leaves_nothing(name: str) -> None:
    with pytest.raises(ValueError, match="must leave at least one pixel of `x`"):
        create_upsampler(name, C, 0.2)(X)


@each_name
def test_constructing_and_calling_prints_no_warning(name: str) -> None:
    create_upsampler(name, C)(features().float())  # warnings are errors here
    assert "scale_factor=2" in repr(create_upsampler(name, C))

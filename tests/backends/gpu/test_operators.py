"""Triton's kernels as torch operators: compiled, checked, mapped, refused; no host reads.

All cases of every operator run in `ops/test_every_operator.py`, where they are slow.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters
from torch.autograd import forward_ad

import dysample
from dysample import functional
from support import ahead, gpu_calls, interpreter
from support.operators import affinity_backward, point_sample, reassemble
from support.triton_kernels import needs_triton

pytestmark = needs_triton


def slow(value: object) -> object:
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.fixture(autouse=True)
def _triton() -> None:
    with dysample.backend("triton"):
        yield


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize("build", [point_sample, slow(reassemble)], ids=lambda b: b.__name__)
def test_opcheck(build) -> None:
    before = interpreter.counts["launches"]
    call = build(last=True).requiring_grad()
    torch.library.opcheck(call.operator, call.arguments)
    assert interpreter.counts["launches"] > before + 3


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_dynamo")
def test_opcheck_of_a_backward_operator() -> None:
    call = affinity_backward(dtype=torch.float16)
    torch.library.opcheck(call.operator, call.arguments)


@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize("build", [dysample.DySample, slow(dysample.CARAFE)])
def test_compiles_to_one_graph(build) -> None:
    module = build(4)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    counters.clear()
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in ((3, 5), (7, 3)):  # no length is that of another axis
        x = torch.randn(2, 4, *size, requires_grad=True)
        ours, expected = compiled(x), module(x)
        torch.testing.assert_close(ours, expected)
        (our,), (their,) = (torch.autograd.grad(y.square().sum(), x) for y in (ours, expected))
        torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-4)
    assert counters["stats"]["unique_graphs"] == 1


def test_vmap_folds_into_the_batch() -> None:
    x, offset = torch.randn(3, 1, 4, 2, 3), torch.randn(3, 1, 2, 4, 6)
    with torch.no_grad():
        mapped = torch.vmap(functional.point_sample)(x, offset)
        for ours, *one in zip(mapped, x, offset):
            torch.testing.assert_close(ours, functional.point_sample(*one), rtol=0, atol=1e-6)


def test_autocast_keeps_what_features_are() -> None:
    x, offset = torch.randn(1, 4, 2, 3), torch.randn(1, 2, 4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(functional.point_sample(x, offset), functional.point_sample(x, offset))
        assert functional.point_sample(x.bfloat16(), offset).dtype == torch.bfloat16
        assert functional.affinity(x.bfloat16(), x.bfloat16(), 3).dtype == torch.float32


@pytest.mark.filterwarnings("ignore:`torch.jit.script. is deprecated")
def test_dual_tensors_and_second_derivatives_are_refused() -> None:
    x, offset = torch.randn(1, 2, 2, 3), torch.randn(1, 2, 4, 6)
    message = r"^point_sample: backend 'triton' cannot run this call: torch\.func and forward-mode"
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match=message):
        functional.point_sample(forward_ad.make_dual(x, x), offset)
    message = r"^`point_sample` has no forward-mode derivative in the fused kernels"
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match=message):
        torch.ops.dysample.point_sample(x, offset, 1, 4, 6, False)
    out = functional.point_sample(x.requires_grad_(), offset)
    (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="has no second derivative in the fused kernels"):
        grad.sum().backward()


def test_tensors_on_different_devices_are_refused_by_name() -> None:
    x, offset = torch.randn(1, 2, 2, 3), torch.randn(1, 2, 4, 6)
    with pytest.raises(ValueError, match=r"^`offset` device \(=meta\) must equal that of `x`"):
        functional.point_sample(x, offset.to("meta"))


def test_nothing_is_read_back_from_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it could not be captured in a CUDA graph: tensors on meta have no numbers to read."""
    launched = 0
    for call in gpu_calls.calls().values():
        for last in (False, True):
            with ahead.launches() as found:
                call.run(torch.float16, last)
            launched += len(found)
    assert launched > 20


def test_the_interpreter_finds_what_a_gpu_would_not_forgive() -> None:
    """The checks of `support.interpreter` themselves: planted errors are found."""
    import triton
    from triton.runtime.errors import InterpreterError

    from support import planted

    values = torch.arange(8.0)

    def launch(kernel, *tensors: Tensor) -> None:
        kernel[(2,)](*tensors)

    assert triton
    launch(planted.copy, values, out := torch.zeros(8))
    assert torch.equal(out, values)
    for kernel, message in (
        (planted.reads_beyond, "load outside of every argument: 1 addresses"),
        (planted.writes_before, "store outside of every argument: 1 addresses"),
        (planted.writes_twice, "two programs store to one address"),
        (planted.adds_beyond, "atomic outside of every argument: 1 addresses"),
    ):
        with pytest.raises(InterpreterError, match=message):
            launch(kernel, values[:7].clone(), torch.zeros(7))
    with pytest.raises(InterpreterError, match="another one"):
        launch(planted.shifts, values.clone())

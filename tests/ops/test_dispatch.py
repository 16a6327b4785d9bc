"""The choice of a backend: reasons, contexts, environment variables, explanations."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch

import dysample
from dysample import functional
from dysample.backends.cpu import library
from dysample.ops import dispatch
from support.operators import needs_kernels

X = torch.randn(1, 4, 3, 4)
MISSING = "the CPU kernels are not compiled: build them"


def sample(x: torch.Tensor = X) -> torch.Tensor:
    return functional.point_sample(x, torch.zeros(x.shape[0], 2, 6, 8, device=x.device))


@needs_kernels
def test_the_kernels_run_what_they_can() -> None:
    for dtype in library.DTYPES:
        assert dispatch.why_not(X.to(dtype), None) is None
    with dysample.ops.recorded() as choices:
        sample()
    assert choices == [dysample.ops.Choice("point_sample", "cpu", None)]


@needs_kernels
@pytest.mark.parametrize(
    ("reason", "make"),
    [
        ("the CPU kernels take no torch.float8_e4m3fn", lambda: X.to(torch.float8_e4m3fn)),
        ("the CPU kernels take no torch.complex64", lambda: X.to(torch.complex64)),
        ("a tensor lies on meta", lambda: X.to("meta")),
        ("the CPU kernels take no torch.sparse_coo tensors", lambda: X.to_sparse()),
        (
            "an axis is longer than 8388608 pixels",
            lambda: torch.zeros(1).expand(1, 1, 1, 2**23 + 1),
        ),
    ],
)
def test_why_not(reason: str, make: Callable[[], torch.Tensor]) -> None:
    assert dispatch.why_not(X, make()) == reason


def test_without_kernels_plain_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sample()
    monkeypatch.setattr(library, "missing", MISSING)
    assert dispatch.why_not(X) == MISSING
    torch.testing.assert_close(sample(), expected)
    with (
        dysample.backend("cpu"),
        pytest.raises(
            RuntimeError, match=r"^point_sample: backend 'cpu' cannot .*: the CPU"
        ) as one,
    ):
        sample()
    assert "\n" not in str(one.value)


def test_other_devices_run_plain_torch() -> None:
    x = X.to("meta")
    assert sample(x).device.type == "meta"
    for call, name in (
        (lambda: sample(x), "point_sample"),
        (lambda: functional.reassemble(x, x.new_zeros(1, 1, 9, 6, 8)), "reassemble"),
        (lambda: functional.affinity(x, x, 3), "affinity"),
        (lambda: dysample.DySample(4).to("meta").offsets(x), "offset_field"),
    ):
        reason = library.missing or "a tensor lies on meta"
        with dysample.ops.recorded() as choices:
            call()
        assert choices == [dysample.ops.Choice(name, "eager", reason)]
        with dysample.backend("cpu"), pytest.raises(RuntimeError) as error:
            call()
        assert str(error.value) == f"{name}: backend 'cpu' cannot run this call: {reason}"


def test_contexts_nest_and_restore() -> None:
    outside = dispatch._forced
    with dysample.backend("eager"):
        with dysample.backend("auto"):
            assert dispatch._forced == "auto"
        assert dispatch._forced == "eager"
        with pytest.raises(KeyError), dysample.backend("cpu"):
            raise KeyError
        assert dispatch._forced == "eager"
    assert dispatch._forced == outside


def test_a_context_decorates_a_function() -> None:
    @dysample.backend("eager")
    def run() -> str:
        return dispatch._forced

    assert run() == "eager"
    assert run() == "eager"


@pytest.mark.parametrize("name", ["gpu", "", "CPU", None])
def test_an_unknown_backend_is_refused(name) -> None:
    outside = dispatch._forced
    with (
        pytest.raises(
            (TypeError, ValueError),
            match=r"^`name` .*must be one of 'auto', 'cpu', 'triton', 'eager', 'grid_.*, 'gather'$",
        ) as error,
        dysample.backend(name),
    ):
        pass
    assert "\n" not in str(error.value)
    assert dispatch._forced == outside


def fresh_dispatch(monkeypatch: pytest.MonkeyPatch, value: str) -> ModuleType:
    """The module as a process with that value of the variable loads it."""
    monkeypatch.setenv(dispatch.VARIABLE, value)
    spec = importlib.util.spec_from_file_location("fresh_dispatch", dispatch.__file__)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fresh_dispatch", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("value", "expected"),
    [("auto", "auto"), ("eager", "eager"), ("cpu", "cpu"), ("triton", "triton"), ("", "auto")],
)
def test_the_variable_sets_the_backend(monkeypatch, value: str, expected: str) -> None:
    assert fresh_dispatch(monkeypatch, value)._forced == expected


def test_a_bad_value_of_the_variable_is_refused_by_name(monkeypatch) -> None:
    message = r"^`DYSAMPLE_BACKEND` \(='cuda'\) must be one of 'auto', 'cpu', 'triton', 'eager'"
    with pytest.raises(ValueError, match=message):
        fresh_dispatch(monkeypatch, "cuda")


def test_variables_hold_for_a_process() -> None:
    code = (
        "import torch, dysample; from dysample.backends.cpu import library;"
        "up = dysample.CARAFE(4);"
        "print(dysample.explain(up, torch.zeros(1, 4, 2, 2)).choices[0].backend, library.isa)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"DYSAMPLE_BACKEND": "eager", "DYSAMPLE_ISA": "baseline"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.split() == (["eager"] if library.missing else ["eager", "baseline"])

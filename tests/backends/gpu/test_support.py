"""Where Triton's kernels run, and the reason where they do not."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import dysample
from dysample import functional
from dysample.backends.gpu import support
from dysample.info import system_info
from dysample.ops import dispatch
from support.triton_kernels import needs_triton

X = torch.randn(1, 4, 3, 4)


def sample(x: Tensor) -> Tensor:
    return functional.point_sample(x, torch.zeros(1, 2, 6, 8, device=x.device, dtype=x.dtype))


@pytest.fixture
def no_cache() -> None:
    """Forget what was found out about this machine, before and after."""
    for answer in (support.missing, support._unfit):
        answer.cache_clear()
    yield
    for answer in (support.missing, support._unfit):
        answer.cache_clear()


@needs_triton
def test_requested_kernels_run_on_the_cpu_where_triton_interprets() -> None:
    with dysample.backend("triton"):
        with dysample.ops.recorded() as choices:
            sample(X)
        text = str(dysample.explain(dysample.DySample(4), X))
    assert choices == [dysample.ops.Choice("point_sample", "triton", None)]
    own = "eager: no fused kernel, since on a GPU, torch's own convolution makes the offsets"
    assert text.splitlines() == [f"offset_field    {own}", "point_sample    triton (interpreted)"]


def test_the_cpu_kernels_run_on_the_cpu_where_nothing_is_requested() -> None:
    with dysample.backend("auto"), dysample.ops.recorded() as choices:
        sample(X)
    assert choices[0].backend in ("cpu", "eager")


@needs_triton
@pytest.mark.parametrize(
    ("reason", "make"),
    [
        ("the Triton kernels take no torch.float8_e4m3fn", lambda: X.to(torch.float8_e4m3fn)),
        ("the Triton kernels take no torch.complex64", lambda: X.to(torch.complex64)),
        ("tensors lie on cpu and meta", lambda: X.to("meta")),
        ("the Triton kernels take no torch.sparse_coo tensors", lambda: X.to_sparse()),
        (
            "an axis is longer than 8388608 pixels",
            lambda: torch.zeros(1).expand(1, 1, 1, 2**23 + 1),
        ),
    ],
)
def test_why_not(reason: str, make: Callable[[], Tensor]) -> None:
    with dysample.backend("triton"):
        assert dispatch.why_not(X, make()) == reason


@needs_triton
def test_limits_of_the_kernels() -> None:
    with dysample.backend("triton"):
        wide = torch.zeros(1).expand(1, 2**17 + 1, 1, 1)
        assert dispatch.why_not(wide) == "there are more than 131072 channels"
        assert dispatch.why_not(X, wide) is None  # a field may have any number
        assert dispatch.why_not(X, kernel=9) is None
        assert dispatch.why_not(X, kernel=11) == "the kernel size (=11) is above 9"


@pytest.mark.parametrize("device", ["meta", "mps", "xpu"])
def test_other_devices_run_plain_torch(device: str) -> None:
    assert support.why_not(torch.device(device)) == f"a tensor lies on {device}"
    x = types.SimpleNamespace(device=torch.device(device))
    with dysample.backend("triton"):
        assert dispatch.why_not(x) == f"a tensor lies on {device}"
        if device == "meta":
            message = (
                r"^point_sample: backend 'triton' cannot run this call: a tensor lies on meta$"
            )
            with pytest.raises(RuntimeError, match=message):
                sample(X.to("meta"))


def test_a_cpu_without_the_interpreter_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(support.VARIABLE, raising=False)
    monkeypatch.setattr(support, "missing", lambda: None)
    reason = "a tensor lies on cpu, and TRITON_INTERPRET is not 1"
    assert support.why_not(torch.device("cpu")) == reason
    with dysample.backend("triton"), pytest.raises(RuntimeError, match=f": {reason}$"):
        sample(X)
    with dysample.backend("triton"), pytest.raises(RuntimeError, match=f": {reason}$"):
        torch.ops.dysample.point_sample(X, torch.zeros(1, 2, 3, 4), 1, 3, 4, False)


def test_no_triton_is_a_reason(monkeypatch: pytest.MonkeyPatch, no_cache: None) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    assert support.missing().startswith("Triton is not installed: `pip install triton`")
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.empty(1, 4, 3, 4, device="cuda")
        with dysample.ops.recorded() as choices:
            assert sample(x).device.type == "cuda"
    assert [(c.backend, c.why_not) for c in choices] == [("eager", support.missing())]


@pytest.mark.parametrize("version", ["2.3.1", "3.2.0+git1"])
def test_an_old_triton_is_a_reason(monkeypatch, no_cache: None, version: str) -> None:
    pytest.importorskip("triton")
    monkeypatch.setattr(sys.modules["triton"], "__version__", version)
    assert support.missing().startswith(f"Triton {version} is older than 3.3: `pip install")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ((7, 0), "the compute capability of Tesla V100 (=7.0) is below 7.5"),
        ((7, 5), None),
        ((12, 0), None),
    ],
)
@needs_triton
def test_the_compute_capability_decides(monkeypatch, no_cache: None, found, reason) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=None: found)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index=None: "Tesla V100")
    assert support.why_not(torch.device("cuda", 0)) == reason
    assert system_info()["GPU"] == f"Tesla V100 ({found[0]}.{found[1]})"
    monkeypatch.delenv(support.VARIABLE)
    import triton

    assert system_info()["Triton kernels"] == (reason or f"Triton {triton.__version__}")


class NoCompiler:
    @property
    def active(self) -> None:
        raise RuntimeError("Failed to find C compiler. Please specify via CC")


@needs_triton
def test_a_machine_without_a_compiler_runs_plain_torch(monkeypatch, no_cache: None) -> None:
    """As slim images are, on which Triton cannot build what launches its kernels."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=None: (9, 0))
    monkeypatch.delenv(support.VARIABLE)
    monkeypatch.setattr("triton.runtime.driver", NoCompiler())
    assert support.why_not(torch.device("cuda", 0)) == (
        "Triton does not start (Failed to find C compiler. Please specify via CC)"
    )


def test_the_installation_says_that_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert system_info()["GPU"] == "none that torch sees"
    if support.missing() is None:
        said = "interpreted on the CPU, as TRITON_INTERPRET says"
        assert system_info()["Triton kernels"] == said
    monkeypatch.delenv(support.VARIABLE)
    assert system_info()["Triton kernels"] == "no GPU to run on"


@needs_triton
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to ask")
def test_explain_of_tensors_without_numbers_on_a_gpu() -> None:
    """Of torch's fake tensors: nothing runs, and the choice is that of a GPU."""
    with FakeTensorMode(), torch.device("cuda"):
        up = dysample.DySample(4)
        x = torch.empty(1, 4, 3, 4, device="cuda")
        out, text = up(x), str(dysample.explain(up, x))
    assert (out.shape, out.device.type) == ((1, 4, 6, 8), "cuda")
    assert text.splitlines()[1].startswith("point_sample    triton")


def test_nothing_of_triton_is_imported_for_tensors_on_a_cpu() -> None:
    code = (
        "import sys, torch, dysample; up = dysample.DySample(4); up(torch.zeros(1, 4, 2, 2));"
        "print(*(n for n in sys.modules if n.startswith('dysample.backends.gpu.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300,
        env={k: v for k, v in os.environ.items() if k != support.VARIABLE},
    )  # fmt: skip
    assert done.stdout.split() == ["dysample.backends.gpu.support"]

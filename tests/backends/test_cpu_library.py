"""Which library of kernels is loaded, why none is, and that all of them give the same."""

from __future__ import annotations

import types
from pathlib import Path

import pytest
import torch
from torch import Tensor

import dysample
from dysample import functional, ops
from dysample.backends.cpu import library
from support.operators import needs_kernels

FOLDER = Path(library.__file__).parent


def built() -> list[str]:
    """Instruction sets that are compiled and that this processor has."""
    if library.missing:
        return []
    best = library._LIBRARY.dysample_best_isa()
    return [isa for isa in library.ISAS[: best + 1] if (FOLDER / f"libdysample_{isa}.so").exists()]


@needs_kernels
@pytest.mark.parametrize("choice", ["", *built()])
def test_the_variable_chooses_an_instruction_set(monkeypatch, choice: str) -> None:
    monkeypatch.setenv(library.VARIABLE, choice)
    loaded, isa, missing = library._load()
    assert (isa, missing) == (choice or built()[-1], None)
    assert loaded._name.endswith(f"libdysample_{isa}.so")


@needs_kernels
def test_a_bad_value_of_the_variable_is_refused_by_name(monkeypatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "cuda")
    with pytest.raises(ValueError, match=r"^`DYSAMPLE_ISA` \(='cuda'\) must be one of baseline"):
        library._load()


@needs_kernels
@pytest.mark.skipif(len(built()) < 2, reason="the processor has the baseline alone")
def test_an_instruction_set_beyond_the_processor_is_refused(monkeypatch) -> None:
    oldest = types.SimpleNamespace(dysample_best_isa=lambda: 0)
    monkeypatch.setattr(library.ctypes, "CDLL", lambda path: oldest)
    monkeypatch.setenv(library.VARIABLE, "avx2")
    message = r"^`DYSAMPLE_ISA` \(='avx2'\) is beyond this processor: baseline$"
    with pytest.raises(ValueError, match=message):
        library._load()


@needs_kernels
def test_a_library_that_does_not_load_is_a_reason(monkeypatch) -> None:
    def refuse(path: str) -> None:
        raise OSError("wrong ELF class")

    monkeypatch.setattr(library.ctypes, "CDLL", refuse)
    loaded, isa, missing = library._load()
    assert (loaded, isa) == (None, "")
    assert missing.startswith("the CPU kernels do not load (wrong ELF class): build them with")
    assert "\n" not in missing


@needs_kernels
def test_a_library_of_another_version_is_a_reason(monkeypatch) -> None:
    other = types.SimpleNamespace(dysample_best_isa=lambda: 0)  # and no other function
    monkeypatch.setattr(library.ctypes, "CDLL", lambda path: other)
    assert library._load()[2].startswith("the CPU kernels do not load (")


def test_a_missing_library_is_a_reason(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(library, "__file__", str(tmp_path / "library.py"))
    reason = library._load()[2]
    assert reason.startswith("the CPU kernels are not compiled: build them with a C++20 compiler")
    assert "make kernels" in reason
    assert "\n" not in reason


@needs_kernels
@pytest.mark.parametrize(("status", "said"), [(1, "memory ran out"), (2, "unknown dtype")])
def test_a_kernel_that_fails_says_why(monkeypatch, status: int, said: str) -> None:
    full = types.SimpleNamespace(dysample_point_sample=lambda *arguments: status)
    monkeypatch.setattr(library, "_LIBRARY", full)
    with pytest.raises(RuntimeError, match=rf"^dysample_point_sample: {said}$"):
        functional.point_sample(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2))


def results(dtype: torch.dtype, last: bool, C: int, out: tuple[int, int]) -> list[Tensor]:
    """Results and gradients of every kernel."""
    torch.manual_seed(0)
    x, query = torch.randn(2, C, 7, 11).to(dtype), torch.randn(2, C, *out).to(dtype)
    if last:
        x, query = (t.contiguous(memory_format=torch.channels_last) for t in (x, query))
    offset, logits = 3 * torch.randn(2, 4, *out), torch.randn(2, 2, 25, *out)
    up = dysample.DySample(C, groups=2, dyscope=True)  # its weights stay float32, as under autocast
    torch.nn.init.normal_(up.scope.weight)
    tensors = [t.requires_grad_() for t in (x, offset, logits, query)]
    with dysample.backend("cpu"):
        outs = [
            functional.point_sample(x, offset),
            functional.reassemble(x, logits, softmax=True),
            functional.affinity(query, x, 3, groups=2),
            ops.offset_field(x, *up.offset.parameters(), *up.scope.parameters(), None, 0.25),
        ]
        cotangents = [torch.randn_like(value) for value in outs]
        wanted = [*tensors, *up.parameters()]
        return [*outs, *torch.autograd.grad(outs, wanted, cotangents)]


@needs_kernels
@pytest.mark.parametrize("dtype", library.DTYPES, ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "channels_last"])
@pytest.mark.parametrize(("C", "out"), [(6, (9, 22)), (70, (14, 17))])
def test_every_instruction_set_gives_the_same(monkeypatch, dtype, last, C, out) -> None:
    found = {}
    for isa in built():
        monkeypatch.setenv(library.VARIABLE, isa)
        monkeypatch.setattr(library, "_LIBRARY", library._load()[0])
        found[isa] = results(dtype, last, C, out)
    for isa, values in found.items():
        for value, expected in zip(values, found["baseline"]):
            # Sums in another order: a few roundings of the arithmetic and one of the result.
            eps = torch.finfo(value.dtype).eps
            arithmetic = torch.finfo(torch.promote_types(value.dtype, torch.float32)).eps
            scale = float(expected.detach().double().abs().max())
            error = float((value.double() - expected.double()).detach().abs().max())
            assert error <= (16 * arithmetic + (eps if eps > arithmetic else 0)) * scale, isa

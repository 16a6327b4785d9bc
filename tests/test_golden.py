"""Every golden file of the published code against our operators: outputs and gradients.

`tests/golden/README.md` describes the files. The environment variable DYSAMPLE_GOLDEN points
the test to another folder of files of the same form.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dysample

FOLDER = Path(os.environ.get("DYSAMPLE_GOLDEN", Path(__file__).parent / "golden"))
FILES = sorted(FOLDER.glob("*.npz"))

# How each published operator is built and called with ours: (module or None, function of inputs).
Call = Callable[..., Tensor]
Built = tuple[nn.Module | None, Call]


def _module(module: nn.Module) -> Built:
    return module, module


def _build_dysample(meta: dict[str, Any]) -> Built:
    return _module(dysample.DySample(**meta["ctor"]))


def _build_step(meta: dict[str, Any]) -> Built:
    options = {"scope_factor": meta["factor"], "start": meta["init"]}
    return _module(dysample.DySample(**meta["ctor"], **options))


def _build_carafe_pack(meta: dict[str, Any]) -> Built:
    ctor = dict(meta["ctor"])
    return _module(dysample.CARAFE(ctor.pop("channels"), **ctor))


def _build_carafe(meta: dict[str, Any]) -> Built:
    groups, taps = meta["groups"], meta["kernel"] ** 2

    def call(features: Tensor, masks: Tensor) -> Tensor:
        weight = masks.view(masks.shape[0], groups, taps, *masks.shape[2:])
        return dysample.functional.reassemble(features, weight)

    return None, call


def _build_named(name: str, channels: int) -> Callable[[dict[str, Any]], Built]:
    def build(meta: dict[str, Any]) -> Built:
        in_channels = meta.get("ctor", {}).get("channels", channels)
        return _module(dysample.create_upsampler(name, in_channels, meta.get("scale", 2)))

    return build


BUILDERS: dict[str, Callable[[dict[str, Any]], Built]] = {
    "DySample": _build_dysample,
    "DySampleStep": _build_step,
    "CARAFEPack": _build_carafe_pack,
    "carafe": _build_carafe,
    "nearest": _build_named("nearest", 3),
    "bilinear": _build_named("bilinear", 3),
    "deconv": _build_named("deconv", 3),
    "pixelshuffle": _build_named("pixel_shuffle", 3),
}


class Golden:
    """One file, read."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.arrays = {key: torch.from_numpy(arrays[key]) for key in arrays if key != "meta"}
            self.meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        if self.meta["op"] not in BUILDERS:
            pytest.skip(f"operator {self.meta['op']} does not exist yet")

    def part(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def run(self, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor], nn.Module | None]:
        """Output, inputs (with gradients where float64) and module."""
        module, call = BUILDERS[self.meta["op"]](self.meta)
        if module is not None:
            module.load_state_dict(self.part("state."))
            module.to(dtype).train(self.meta.get("train", False))
        inputs = {
            name: self.arrays[f"in.{name}"].to(dtype).requires_grad_()
            for name in self.meta["inputs"]
        }
        return call(*inputs.values()), inputs, module

    def tolerance(self) -> float:
        """Allowed error in float64: 1e-10, and two exceptions that the files' README lists."""
        if "f32_max_abs_dev" not in self.meta:
            return 2e-6  # results of a float32 CUDA kernel
        if self.meta["op"].startswith("DySample"):
            scale = self.meta["ctor"].get("scale") or self.meta["ctor"]["scale_factor"]
            if scale & (scale - 1):
                return 1e-6  # the published `init_pos` rounds (2j + 1 - s) / 2s to float32
        return 1e-10

    def tolerance_float32(self) -> float:
        """The published code's own error in float32, and 8 roundings for sums in another order."""
        roundings = 8 * torch.finfo(torch.float32).eps * float(self.arrays["out"].abs().max())
        return float(self.meta["f32_max_abs_dev"]) + roundings


def _close(ours: Tensor, theirs: Tensor, atol: float) -> None:
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=0, atol=atol)


@pytest.mark.parametrize("path", FILES, ids=[f"golden-{path.stem}" for path in FILES])
def test_equals_published_code(path: Path) -> None:
    golden = Golden(path)
    expected, tolerance = golden.arrays["out"], golden.tolerance()

    out, inputs, module = golden.run(torch.float64)
    _close(out, expected, tolerance)

    (golden.arrays["cot"].double() * out).sum().backward()
    for name, gradient in golden.part("grad_in.").items():
        _close(inputs[name].grad, gradient, tolerance)
    parameters = dict(module.named_parameters()) if module else {}
    for name, gradient in golden.part("grad_state.").items():
        _close(parameters[name].grad, gradient, tolerance)

    if "f32_max_abs_dev" in golden.meta:
        out, _, _ = golden.run(torch.float32)
        _close(out, expected, golden.tolerance_float32())


def test_folder_holds_files() -> None:
    assert FILES, f"no golden files in {FOLDER}"

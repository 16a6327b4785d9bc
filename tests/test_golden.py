"""Every golden file of the published code against our operators: outputs and gradients.

`tests/golden/README.md` describes the files. The environment variable DYSAMPLE_GOLDEN points
the test to another folder of files of the same form.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dysample
from support.golden import FILES, FOLDER, Golden
from support.triton_kernels import needs_triton

pytestmark = pytest.mark.usefixtures("backend")


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
        _close(parameters[name.removeprefix("index.")].grad, gradient, tolerance)
    # What the published code stores and does not use, we do not store.
    assert not set(golden.meta.get("params_without_grad", ())) & set(parameters)

    if "f32_max_abs_dev" in golden.meta:
        out, _, _ = golden.run(torch.float32)
        _close(out, expected, golden.tolerance_float32())


# One file of each primitive, at the sizes that take the least time to interpret.
IN_TRITON = ["dysample_lp_g1_s2", "carafe_op_k3g1s4", "sapa_op_qk3"]


@needs_triton
@pytest.mark.parametrize("backend", ["triton"], indirect=True)
@pytest.mark.parametrize("name", IN_TRITON)
def test_triton_equals_published_code(name: str) -> None:
    test_equals_published_code(FOLDER / f"{name}.npz")


def _intermediates(module: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """What published operators compute on the way, under the files' names."""
    if isinstance(module, dysample.DySample):
        return {"offset": module.offsets(*inputs)}
    if isinstance(module, dysample.CARAFE):
        return {"mask": module.kernels(*inputs).flatten(1, 2)}
    guide, x = inputs
    if isinstance(module, dysample.IndexNet):
        return dict(zip(("idx_en", "idx_de"), module.index_maps(guide)))
    return {"kernels": module.kernels(x, guide).squeeze(1)}


def _has_intermediates(path: Path) -> bool:
    with np.load(path) as arrays:
        return any(key.startswith("aux.") for key in arrays.files)


WITH_INTERMEDIATES = [path for path in FILES if _has_intermediates(path)]


@pytest.mark.parametrize(
    "path", WITH_INTERMEDIATES, ids=[f"golden-{path.stem}" for path in WITH_INTERMEDIATES]
)
def test_intermediates_equal_published_code(path: Path) -> None:
    golden = Golden(path)
    _, inputs, module = golden.run(torch.float64)
    ours = _intermediates(module, *inputs.values())
    for name, expected in golden.part("aux.").items():
        _close(ours[name], expected, golden.tolerance())


def test_folder_holds_files() -> None:
    assert FILES, f"no golden files in {FOLDER}"


def _interpolation(mode: str, scale: int) -> nn.Module:
    corners = None if mode == "nearest" else False
    return nn.Upsample(scale_factor=scale, mode=mode, align_corners=corners)


# torch's own layers, from which a file of any channels and scale can be written: C, s to the layer
# and what the file says about it.
LAYERS: dict[str, Callable[[int, int], tuple[nn.Module, dict[str, Any]]]] = {
    "nearest": lambda C, s: (_interpolation("nearest", s), {"scale": s}),
    "bilinear": lambda C, s: (_interpolation("bilinear", s), {"scale": s}),
    "deconv": lambda C, s: (
        nn.ConvTranspose2d(C, C, 2 * s - 1, s, s - 1, s - 1),
        {"ctor": {"channels": C, "kernel": 2 * s - 1, "stride": s}},
    ),
    "pixelshuffle": lambda C, s: (
        nn.Sequential(nn.Conv2d(C, C * s**2, 3, padding=1), nn.PixelShuffle(s)),
        {"ctor": {"channels": C}, "scale": s},
    ),
}


@pytest.mark.parametrize("op", LAYERS)
@pytest.mark.parametrize(("C", "scale"), [(1, 5), (7, 2)])
def test_files_of_other_channels_and_scales(op: str, C: int, scale: int, tmp_path: Path) -> None:
    layer, meta = LAYERS[op](C, scale)
    state = {f"state.{key}": value.clone() for key, value in layer.state_dict().items()}
    x = torch.randn(2, C, 3, 5)
    with torch.no_grad():
        narrow = layer(x)
    layer.double()
    wide = x.double().requires_grad_()
    out = layer(wide)
    cotangent = torch.randn_like(narrow)
    (cotangent.double() * out).sum().backward()
    deviation = float((narrow - out.detach()).abs().max())
    arrays = {"in.x": x, **state, "cot": cotangent, "out": out, "grad_in.x": wide.grad}
    arrays |= {f"grad_state.{key}": value.grad for key, value in layer.named_parameters()}
    path = tmp_path / "other.npz"
    np.savez(
        path,
        meta=json.dumps({"op": op, "inputs": ["x"], "f32_max_abs_dev": deviation, **meta}),
        **{key: value.detach().numpy() for key, value in arrays.items()},
    )
    test_equals_published_code(path)

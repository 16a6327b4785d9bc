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


def _guided(module: nn.Module) -> Built:
    """Published guided operators take the guide first."""
    return module, lambda guide, x: module(x, guide)


def _build_fade(meta: dict[str, Any]) -> Built:
    ctor, lite = meta["ctor"], meta["op"] == "FADELite"
    # None stands for the first paper's code, which has a class each instead of the option.
    gating = meta["op"] != "SemiShiftUp" if ctor["gating"] is None else ctor["gating"]
    options = {} if lite else {"embedding": ctor["embedding_dim"]}
    return _guided(
        (dysample.FADELite if lite else dysample.FADE)(
            ctor["in_channels_de"],
            guide_channels=ctor["in_channels_en"],
            up_kernel=ctor["up_kernel_size"],
            gating=gating,
            **options,
        )
    )


def _build_a2u(meta: dict[str, Any]) -> Built:
    channels = meta["channels"]
    kernel = meta["ctor"]["up_kernel"]
    return _guided(dysample.A2U(channels["de"], guide_channels=channels["en"], up_kernel=kernel))


def _build_indexnet(style: str) -> Callable[[dict[str, Any]], Built]:
    def build(meta: dict[str, Any]) -> Built:
        ctor, channels = meta["ctor"], meta["channels"]
        return _guided(
            dysample.IndexNet(
                channels["de"],
                guide_channels=channels["en"],
                style=style,
                nonlinear=ctor["use_nonlinear"],
                context=ctor["use_context"],
            )
        )

    return build


_NORMS = {False: None, True: "group", "LayerNorm": "layer"}


def _build_sapa(meta: dict[str, Any]) -> Built:
    ctor, channels = meta["ctor"], meta["channels"]
    return _guided(
        dysample.SAPA(
            channels["x"],
            meta["scale"],
            guide_channels=channels["y"],
            out_channels=ctor.get("out_dim"),
            query=ctor.get("q_mode", "guide"),
            norm=_NORMS[ctor.get("norm", "LayerNorm")],
            up_kernel=ctor["up_kernel_size"],
            embedding=ctor["embedding_dim"],
            bias=ctor.get("qkv_bias", True),
        )
    )


def _build_sapa_i(meta: dict[str, Any]) -> Built:
    options = {"norm": "layer" if meta["norm"] else None, "up_kernel": meta["up_kernel_size"]}
    return _guided(dysample.SAPAI(meta["channels"]["x"], meta["scale"], **options))


def _build_sapa_deform(meta: dict[str, Any]) -> Built:
    ctor, channels = meta["ctor"], meta["channels"]
    return _guided(
        dysample.SAPADeform(
            channels["x"],
            meta["scale"],
            guide_channels=channels["y"],
            points=ctor["num_point"],
            groups=ctor["groups"],
            embedding=ctor["embedding_dim"],
            high_offset=ctor["high_offset"],
            norm=_NORMS[ctor["norm"]],
            bias=ctor["qkv_bias"],
        )
    )


def _build_sapa_logits(meta: dict[str, Any]) -> Built:
    kernel = meta["kernel"]
    return None, lambda q, k: dysample.functional.affinity(q, k, kernel).squeeze(1)


def _build_named(name: str, channels: int) -> Callable[[dict[str, Any]], Built]:
    def build(meta: dict[str, Any]) -> Built:
        in_channels = meta.get("ctor", {}).get("channels", channels)
        return _module(dysample.create_upsampler(name, in_channels, meta.get("scale", 2)))

    return build


pytestmark = pytest.mark.usefixtures("backend")
BUILDERS: dict[str, Callable[[dict[str, Any]], Built]] = {
    "DySample": _build_dysample,
    "DySampleStep": _build_step,
    "CARAFEPack": _build_carafe_pack,
    "carafe": _build_carafe,
    "FADE": _build_fade,
    "FADELite": _build_fade,
    "SemiShiftUp": _build_fade,
    "A2UUp": _build_a2u,
    "A2UUpRaw": _build_a2u,
    "HolisticIndexBlock": _build_indexnet("holistic"),
    "DepthwiseO2OIndexBlock": _build_indexnet("o2o"),
    "DepthwiseM2OIndexBlock": _build_indexnet("m2o"),
    "SAPA": _build_sapa,
    "SAPA_v1": _build_sapa,
    "SAPAExp": _build_sapa,
    "SAPA_I": _build_sapa_i,
    "SAPADeform": _build_sapa_deform,
    "sapa_qk": _build_sapa_logits,
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
        self.meta["channels"] = {
            name: array.shape[1] for name, array in self.part("in.").items() if array.dim() == 4
        }

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
        _close(parameters[name.removeprefix("index.")].grad, gradient, tolerance)
    # What the published code stores and does not use, we do not store.
    assert not set(golden.meta.get("params_without_grad", ())) & set(parameters)

    if "f32_max_abs_dev" in golden.meta:
        out, _, _ = golden.run(torch.float32)
        _close(out, expected, golden.tolerance_float32())


def _intermediates(module: nn.Module, de: Tensor, en: Tensor) -> dict[str, Tensor]:
    """What published guided operators compute on the way, under the files' names."""
    if isinstance(module, dysample.IndexNet):
        return dict(zip(("idx_en", "idx_de"), module.index_maps(en)))
    return {"kernels": module.kernels(de, en).squeeze(1)}


def _has_intermediates(path: Path) -> bool:
    with np.load(path) as arrays:
        return any(key.startswith("aux.") for key in arrays.files)


GUIDED = [
    path
    for path in FILES
    if path.stem.startswith(("fade", "a2u", "indexnet")) and _has_intermediates(path)
]


@pytest.mark.parametrize("path", GUIDED, ids=[f"golden-{path.stem}" for path in GUIDED])
def test_intermediates_equal_published_code(path: Path) -> None:
    golden = Golden(path)
    _, inputs, module = golden.run(torch.float64)
    ours = _intermediates(module, inputs["de"], inputs["en"])
    for name, expected in golden.part("aux.").items():
        _close(ours[name], expected, golden.tolerance())


def test_folder_holds_files() -> None:
    assert FILES, f"no golden files in {FOLDER}"

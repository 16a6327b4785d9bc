"""How each published operator is built and called with ours, from what a golden file says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

import dysample

# (Module or None, function of inputs).
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
            embed_value=ctor.get("v_embed", False),
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


def _build_named(name: str) -> Callable[[dict[str, Any]], Built]:
    def build(meta: dict[str, Any]) -> Built:
        scale = meta.get("scale") or meta["ctor"]["stride"]
        return _module(dysample.create_upsampler(name, meta["channels"]["x"], scale))

    return build


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
    "nearest": _build_named("nearest"),
    "bilinear": _build_named("bilinear"),
    "deconv": _build_named("deconv"),
    "pixelshuffle": _build_named("pixel_shuffle"),
}

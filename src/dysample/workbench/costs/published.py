"""The costs printed in the papers, beside ours at the same steps of the same models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from dysample.registry import create_upsampler, list_upsamplers
from dysample.workbench.costs.count import count_parameters

CHANNELS = 256
"""Of every upsampled map in the models below."""

PARAMETERS, FLOPS = "parameters", "GFLOPs"
UNITS: Mapping[str, int] = {"K": 10**3, "M": 10**6, "G": 10**9}
OF_CARAFE = "% of CARAFE"
UNKNOWN = "?.??"

SOURCES: Mapping[str, str] = {
    "D": "README of tiny-smart/dysample (81a1de5)",
    "F": "README of poppinace/fade",
    "P": "notes on the DySample paper in luoqianshi/Paper-Master, paper-blogs/DySample.md",
    "P2": "notes on the FreqFusion paper in luoqianshi/Paper-Master",
    "Q": "README of Linwei-Chen/FreqFusion, which quotes the DySample paper's tables",
    "S1": "README of poppinace/sapa (b947ab7)",
    "S2": "README of tiny-smart/sapa",
}

NOTES: Mapping[str, str] = {
    "deconv": "The papers count 9 C^2 for each output pixel. Only every s^2-th tap of a transposed"
    " convolution meets a pixel: ours is what is computed, 4 times less.",
    "slip": "A slip in the source: 3.5 M is the deconvolution's. A 3x3 convolution to 4 C channels"
    " has 2.36 M a step, as the same source's detectors show.",
    "a2u_raw": "The published A2UUpRaw, 78 C + 74: it holds a branch for downsampling that nothing"
    " reads. Ours leaves that out, as the source printing +0.06 M does.",
    "a2u_bare": "38 C: without biases and normalisation.",
    "cut": "Ours rounds to 0.64. Cut off or a slip: the same formula gives this source's other"
    " figures on CARAFE.",
    "sapa_g": "Printed equal to SAPA-B's. The published class has separate projections and a gate,"
    " which cost more: the experiments probably shared them. Not resolved.",
    "sapa_d": "Counting 8 instead of 4 multiply-adds a bilinear sample gives 5.28. An inference.",
    "biases": "The paper leaves the biases of the offsets out: 32 numbers a step.",
    "unread": "The paper's table could not be read, so there is nothing to compare with.",
    "share": "The only figure found on DySample's own FLOPs. With 4 multiply-adds a bilinear sample"
    " ours is lower; 11, as some profilers count, give 20 %. An inference.",
    "absent": "Not in this library.",
}


@dataclass(frozen=True)
class Model:
    """A model of the papers: how many x2 upsamplers it has, and how large the maps are that they
    read (squares; empty where only parameters are published, which do not depend on it).
    """

    title: str
    steps: int
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One printed increment and ours, in the printed unit; None where there is no number."""

    model: Model
    name: str
    quantity: str
    printed: str
    source: str
    note: str
    published: Fraction | None
    ours: Fraction | None
    decimals: int

    @property
    def agrees(self) -> bool:
        """Whether ours, rounded to the printed digits, is the printed number."""
        if self.published is None or self.ours is None:
            return False
        if self.published == 0:
            return self.ours == 0
        return abs(self.ours - self.published) <= Fraction(1, 2 * 10**self.decimals)

    @property
    def difference(self) -> float | None:
        """(ours - published) / published."""
        if not self.published or self.ours is None:
            return None
        return float(self.ours / self.published - 1)


# Rows: (name, quantity, printed, sources[, note]).
_Row = tuple[str, ...]
_TABLE: tuple[tuple[Model, tuple[_Row, ...]], ...] = (
    (
        # Stages at 16, 32 and 64 pixels climb to 128 in three, two and one step.
        Model("SegFormer-B1, ADE20K, 512x512", 6, (16, 32, 64, 32, 64, 64)),
        (
            ("deconv", PARAMETERS, "3.5 M", "S2"),
            ("deconv", FLOPS, "34.4 G", "S2", "deconv"),
            ("pixel_shuffle", PARAMETERS, "3.5 M", "S2", "slip"),
            ("pixel_shuffle", FLOPS, "34.4 G", "S2"),
            ("carafe", PARAMETERS, "0.44 M", "F S1 S2"),
            ("carafe", FLOPS, "1.45 G", "F S1 S2"),
            ("indexnet", PARAMETERS, "12.60 M", "F S1 S2"),
            ("indexnet", FLOPS, "30.65 G", "F S1 S2"),
            ("a2u", PARAMETERS, "0.12 M", "F", "a2u_raw"),
            ("a2u", PARAMETERS, "0.06 M", "S1"),
            ("a2u", PARAMETERS, "0.1 M", "S2"),
            ("a2u", FLOPS, "0.41 G", "F S1 S2"),
            ("fade", PARAMETERS, "0.29 M", "F"),
            ("fade", PARAMETERS, "0.3 M", "S2"),
            ("fade", FLOPS, "2.65 G", "F"),
            ("fade", FLOPS, "2.7 G", "S2"),
            ("fade_lite", PARAMETERS, "80 K", "F"),
            ("fade_lite", FLOPS, "0.89 G", "F"),
            ("sapa_i", PARAMETERS, "0 M", "S1 S2"),
            ("sapa_i", FLOPS, "0.75 G", "S1 S2"),
            ("sapa_b", PARAMETERS, "0.1 M", "S1 S2"),
            ("sapa_b", FLOPS, "1.02 G", "S1 S2"),
            ("sapa_g", PARAMETERS, "0.1 M", "S1", "sapa_g"),
            ("sapa_g", FLOPS, "1.02 G", "S1", "sapa_g"),
            ("sapa_d", PARAMETERS, "0.8 M", "S2"),
            ("sapa_d", FLOPS, "5.3 G", "S2", "sapa_d"),
            ("dysample", PARAMETERS, f"{UNKNOWN} K", "", "unread"),
            ("dysample", FLOPS, f"{UNKNOWN} G", "", "unread"),
            ("dysample_plus", PARAMETERS, f"{UNKNOWN} K", "", "unread"),
            ("dysample_plus", FLOPS, f"{UNKNOWN} G", "", "unread"),
            ("dysample_s", PARAMETERS, f"{UNKNOWN} K", "", "unread"),
            ("dysample_s", FLOPS, f"{UNKNOWN} G", "", "unread"),
            ("dysample_s_plus", PARAMETERS, f"{UNKNOWN} K", "", "unread"),
            ("dysample_s_plus", FLOPS, f"{UNKNOWN} G", "", "unread"),
            ("freqfusion", PARAMETERS, "0.34 M", "P2", "absent"),
            ("freqfusion", FLOPS, "2.35 G", "P2", "absent"),
        ),
    ),
    (
        Model("MaskFormer Swin-B, ADE20K, 640x640", 3, (20, 40, 80)),
        (
            ("carafe", PARAMETERS, "0.22 M", "S1"),
            ("carafe", FLOPS, "0.84 G", "S1"),
            ("indexnet", PARAMETERS, "6.30 M", "S1"),
            ("indexnet", FLOPS, "17.64 G", "S1"),
            ("a2u", PARAMETERS, "0.03 M", "S1"),
            ("a2u", FLOPS, "0.23 G", "S1"),
            ("sapa_i", PARAMETERS, "0 M", "S1"),
            ("sapa_i", FLOPS, "0.43 G", "S1"),
            ("sapa_b", PARAMETERS, "0.05 M", "S1"),
            ("sapa_b", FLOPS, "0.59 G", "S1"),
            ("sapa_g", PARAMETERS, "0.05 M", "S1", "sapa_g"),
            ("sapa_g", FLOPS, "0.59 G", "S1", "sapa_g"),
            ("dysample_s_plus", PARAMETERS, f"3 {OF_CARAFE}", "P"),
            ("dysample_s_plus", FLOPS, f"20 {OF_CARAFE}", "P", "share"),
        ),
    ),
    (
        Model("Mask2Former Swin-B, ADE20K, 640x640", 1, (80,)),
        (
            ("carafe", PARAMETERS, "0.07 M", "S1"),
            ("carafe", FLOPS, "0.63 G", "S1", "cut"),
            ("indexnet", PARAMETERS, "2.10 M", "S1"),
            ("indexnet", FLOPS, "13.44 G", "S1"),
            ("a2u", PARAMETERS, "0.01 M", "S1"),
            ("a2u", FLOPS, "0.18 G", "S1"),
            ("sapa_i", PARAMETERS, "0 M", "S1"),
            ("sapa_i", FLOPS, "0.33 G", "S1"),
            ("sapa_b", PARAMETERS, "0.02 M", "S1"),
            ("sapa_b", FLOPS, "0.45 G", "S1"),
            ("sapa_g", PARAMETERS, "0.02 M", "S1", "sapa_g"),
            ("sapa_g", FLOPS, "0.45 G", "S1", "sapa_g"),
        ),
    ),
    (
        # The pyramid makes P6 by a strided lateral and upsamples that too.
        Model("Faster R-CNN R50, COCO", 4),
        (
            ("deconv", PARAMETERS, "2.4 M", "S2"),
            ("pixel_shuffle", PARAMETERS, "9.4 M", "S2"),
            ("carafe", PARAMETERS, "0.3 M", "S2"),
            ("indexnet", PARAMETERS, "8.4 M", "S2"),
            ("a2u", PARAMETERS, "0.1 M", "S2", "a2u_raw"),
            ("fade", PARAMETERS, "0.2 M", "S2"),
            ("sapa_i", PARAMETERS, "0 M", "S2"),
            ("sapa_b", PARAMETERS, "0.1 M", "S2"),
            ("sapa_d", PARAMETERS, "0.6 M", "S2"),
            ("dysample", PARAMETERS, "32.7 K", "D", "biases"),
            ("dysample_plus", PARAMETERS, "65.5 K", "D", "biases"),
        ),
    ),
    (
        Model("Faster R-CNN R101, COCO", 4),
        (
            ("sapa_d", PARAMETERS, "0.6 M", "S2"),
            ("dysample_plus", PARAMETERS, "65.5 K", "D", "biases"),
        ),
    ),
    (
        Model("Faster R-CNN R50, COCO, plain pyramid", 3),
        (
            ("carafe", PARAMETERS, "0.22 M", "S1"),
            ("indexnet", PARAMETERS, "6.30 M", "S1"),
            ("a2u", PARAMETERS, "0.03 M", "S1"),
            ("sapa_i", PARAMETERS, "0 M", "S1"),
            ("sapa_b", PARAMETERS, "0.05 M", "S1"),
            ("sapa_g", PARAMETERS, "0.05 M", "S1", "sapa_g"),
        ),
    ),
    (
        Model("Mask R-CNN R50, COCO", 4),
        (
            ("dysample", PARAMETERS, "32.7 K", "D", "biases"),
            ("dysample_plus", PARAMETERS, "65.5 K", "D", "biases"),
        ),
    ),
    (
        Model("Mask R-CNN R101, COCO", 4),
        (("dysample_plus", PARAMETERS, "65.5 K", "D", "biases"),),
    ),
    (
        Model("Panoptic FPN R50, COCO", 3),
        (
            ("deconv", PARAMETERS, "1.8 M", "Q"),
            ("pixel_shuffle", PARAMETERS, "7.1 M", "Q"),
            ("carafe", PARAMETERS, "0.2 M", "Q"),
            ("indexnet", PARAMETERS, "6.3 M", "Q"),
            ("a2u", PARAMETERS, "29.2 K", "Q", "a2u_bare"),
            ("fade", PARAMETERS, "0.1 M", "Q"),
            ("sapa_b", PARAMETERS, "0.1 M", "Q"),
            ("dysample_s_plus", PARAMETERS, "6.2 K", "Q"),
            ("dysample", PARAMETERS, "24.6 K", "D", "biases"),
            ("dysample_plus", PARAMETERS, "49.2 K", "D Q"),
        ),
    ),
    (
        Model("Panoptic FPN R101, COCO", 3),
        (("dysample_plus", PARAMETERS, "49.2 K", "D Q"),),
    ),
)


def models() -> tuple[Model, ...]:
    """The models of the papers' tables."""
    return tuple(model for model, _ in _TABLE)


def compare_published() -> Iterator[Comparison]:
    """Every printed increment of parameters and FLOPs with ours, in the order of the tables.

    Ours is the sum over the model's steps, each a fresh upsampler of 256 channels: all its
    parameters, and its formula at the size of the step. The papers call multiply-adds FLOPs.
    """
    for model, rows in _TABLE:
        for name, quantity, printed, source, *note in rows:
            number, _, unit = printed.partition(" ")
            ours = increment(model, name, quantity)
            if ours is not None:
                ours /= _unit(model, quantity, unit)
            yield Comparison(
                model,
                name,
                quantity,
                printed,
                source,
                "".join(note),
                None if number == UNKNOWN else Fraction(number),
                ours,
                len(number.partition(".")[2]),
            )


def increment(model: Model, name: str, quantity: str) -> Fraction | None:
    """Return the cost of a model's upsamplers of that name; None for an unknown name."""
    if name not in list_upsamplers():
        return None
    up = create_upsampler(name, CHANNELS)
    if quantity == PARAMETERS:
        return Fraction(model.steps * count_parameters(up))
    return Fraction(sum(up.macs(size, size) for size in model.sizes))


def _unit(model: Model, quantity: str, unit: str) -> Fraction:
    if unit == OF_CARAFE:
        return (increment(model, "carafe", quantity) or Fraction(0)) / 100
    return Fraction(UNITS[unit])

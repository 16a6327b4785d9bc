"""The costs that the papers print, beside ours at the same places of the same models.

What they print is in `published.csv`, a row for each number: the keys of its sources and of its
note are those of `SOURCES` and `NOTES`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dysample.registry import create_upsampler, list_upsamplers
from dysample.workbench.costs.count import count_parameters

CHANNELS = 256
"""Channels of every upsampled map in the models below."""

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
class PrintedIncrement:
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


_MODELS = (
    # Stages at 16, 32 and 64 pixels climb to 128 in three, two and one step.
    Model("SegFormer-B1, ADE20K, 512x512", 6, (16, 32, 64, 32, 64, 64)),
    Model("MaskFormer Swin-B, ADE20K, 640x640", 3, (20, 40, 80)),
    Model("Mask2Former Swin-B, ADE20K, 640x640", 1, (80,)),
    # The pyramid makes P6 by a strided lateral and upsamples that too.
    Model("Faster R-CNN R50, COCO", 4),
    Model("Faster R-CNN R101, COCO", 4),
    Model("Faster R-CNN R50, COCO, plain pyramid", 3),
    Model("Mask R-CNN R50, COCO", 4),
    Model("Mask R-CNN R101, COCO", 4),
    Model("Panoptic FPN R50, COCO", 3),
    Model("Panoptic FPN R101, COCO", 3),
)


def models() -> tuple[Model, ...]:
    """The models of the papers' tables."""
    return _MODELS


def read_rows(module: str) -> list[dict[str, str]]:
    """The rows of the CSV file beside a module, by the names of its columns.

    Args:
        module: its `__file__`.
    """
    with Path(module).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def compare_published() -> Iterator[PrintedIncrement]:
    """Every printed increment of parameters and FLOPs with ours, in the order of the tables.

    Ours is the sum over the model's steps, each a fresh upsampler of 256 channels: all its
    parameters, and its formula at the size of the step. The papers call multiply-adds FLOPs.
    """
    by_title = {model.title: model for model in _MODELS}
    for row in read_rows(__file__):
        model, name, quantity = by_title[row["model"]], row["upsampler"], row["quantity"]
        number, _, unit = row["printed"].partition(" ")
        ours = increment(model, name, quantity)
        if ours is not None:
            ours /= _unit(model, quantity, unit)
        yield PrintedIncrement(
            model,
            name,
            quantity,
            row["printed"],
            row["sources"],
            row["note"],
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

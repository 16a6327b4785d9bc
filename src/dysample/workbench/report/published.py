"""
Scores that the literature prints for the upsamplers, each with its source, from `published.csv`.

Costs, and what the keys of most sources mean, are in `dysample.workbench.costs.published`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dysample.workbench.costs.published import SOURCES as SOURCES_OF_COSTS
from dysample.workbench.costs.published import read_rows

SOURCES: Mapping[str, str] = {
    **SOURCES_OF_COSTS,
    "Fig": "read off complexity.jpg of tiny-smart/dysample, within 0.01",
}

NOTES: Mapping[str, str] = {
    "bilinear": "S2 lists a later run of bilinear with 42.11 and 28.16.",
    "fade": "The gated form; S2 and Fig give 43.06, S2 with boundary IoU 31.68.",
    "series": 'The figure labels its points "DySample series"; which point is which variant is'
    " inferred from their latencies. Only that 43.58 is DySample-S+ has a source of its own (P).",
}

NOISE = (
    "The authors put the noise between runs on ADE20K at 0.5 mIoU in either direction (README"
    " of tiny-smart/segmentation-with-upsamplers)."
)

STEP_GAINS: Mapping[str, str] = {
    "dysample_step_1": "+0.2",
    "dysample_step_2": "+0.3",
    "dysample_step_3": "+0.8",
    "dysample_step_4": "+0.1",
}
"""SegFormer-B1 on ADE20K, mIoU over the step before [P]."""
STEP_SOURCE = "P"


@dataclass(frozen=True)
class Score:
    """As printed; `sources` holds keys of `SOURCES`, `note` is a key of `NOTES` or empty."""

    printed: str
    sources: str
    note: str = ""

    @property
    def value(self) -> float:
        """The printed number."""
        return float(self.printed)


@dataclass(frozen=True)
class Scores:
    """
    One column of the papers' tables.

    Attributes:
        task: of the workbench.
        metric: key of the workbench's measure that it corresponds to.
        measure: its name.
        model: title of the model in `dysample.workbench.costs.published` where it has costs there.
        unit: of the numbers: 0.01 for per cent.
        by_name: the scores of registered upsamplers.
        higher_is_better: of the measure.
        noise: how far apart equal runs may be by the authors' word; None if they say nothing.
    """

    task: str
    metric: str
    measure: str
    model: str
    unit: float
    by_name: Mapping[str, Score]
    higher_is_better: bool = True
    noise: float | None = None


def _scores(metric: str) -> dict[str, Score]:
    return {
        row["upsampler"]: Score(row["printed"], row["sources"], row["note"])
        for row in read_rows(__file__)
        if row["metric"] == metric
    }


SEMANTIC = Scores(
    "semantic",
    "miou",
    "mIoU",
    "SegFormer-B1, ADE20K, 512x512",
    0.01,
    _scores("miou"),
    noise=0.5,
)
BOUNDARY = Scores(
    "semantic",
    "boundary_iou",
    "boundary IoU",
    "SegFormer-B1, ADE20K, 512x512",
    0.01,
    _scores("boundary_iou"),
)
DETECTION = Scores("detection", "ap", "AP", "Faster R-CNN R50, COCO", 0.01, _scores("ap"))
INSTANCE = Scores(
    "instance", "mask_ap", "mask AP", "Mask R-CNN R50, COCO", 0.01, _scores("mask_ap")
)
PANOPTIC = Scores("panoptic", "pq", "PQ", "Panoptic FPN R50, COCO", 0.01, _scores("pq"))
DEPTH = Scores(
    "depth",
    "abs_rel",
    "AbsRel",
    "DepthFormer Swin-T, NYU Depth v2",
    1.0,
    _scores("abs_rel"),
    higher_is_better=False,
)

SCORES = (SEMANTIC, BOUNDARY, DETECTION, INSTANCE, PANOPTIC, DEPTH)
"""All columns; the first one of a task is that of its main measure."""


def main_scores(task: str) -> Scores | None:
    """The column of a task's main measure; None for a task of which nothing is published."""
    return next((scores for scores in SCORES if scores.task == task), None)

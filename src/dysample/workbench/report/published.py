"""
Scores that the literature prints for the upsamplers, each with its source.

Costs, and what the keys of most sources mean, are in `dysample.workbench.costs.published`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dysample.workbench.costs.published import SOURCES as SOURCES_OF_COSTS

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


SEMANTIC = Scores(
    "semantic",
    "miou",
    "mIoU",
    "SegFormer-B1, ADE20K, 512x512",
    0.01,
    {
        "bilinear": Score("41.68", "F Fig", "bilinear"),
        "deconv": Score("40.71", "S2 Fig"),
        "pixel_shuffle": Score("41.50", "S2 Fig"),
        "carafe": Score("42.82", "F S1 S2 Fig"),
        "indexnet": Score("41.50", "F S1 S2"),
        "a2u": Score("41.45", "F S1 S2"),
        "fade": Score("44.41", "F", "fade"),
        "fade_lite": Score("43.49", "F"),
        "sapa_i": Score("43.05", "S1 S2"),
        "sapa_b": Score("43.20", "S1 S2 Fig"),
        "sapa_g": Score("44.39", "S1"),
        "sapa_d": Score("44.68", "S2"),
        "dysample": Score("43.21", "Fig", "series"),
        "dysample_plus": Score("43.28", "Fig", "series"),
        "dysample_s": Score("43.23", "Fig", "series"),
        "dysample_s_plus": Score("43.58", "Fig P"),
    },
    noise=0.5,
)

BOUNDARY = Scores(
    "semantic",
    "boundary_iou",
    "boundary IoU",
    "SegFormer-B1, ADE20K, 512x512",
    0.01,
    {
        "bilinear": Score("27.80", "F", "bilinear"),
        "deconv": Score("25.94", "S2"),
        "pixel_shuffle": Score("26.58", "S2"),
        "carafe": Score("29.84", "F S1 S2"),
        "indexnet": Score("28.27", "F S1 S2"),
        "a2u": Score("27.31", "F S1 S2"),
        "fade": Score("32.65", "F", "fade"),
        "fade_lite": Score("31.55", "F"),
        "sapa_i": Score("30.25", "S1 S2"),
        "sapa_b": Score("30.96", "S1 S2"),
        "sapa_d": Score("31.74", "S2"),
    },
)

DETECTION = Scores(
    "detection",
    "ap",
    "AP",
    "Faster R-CNN R50, COCO",
    0.01,
    {
        "nearest": Score("37.5", "D Q"),
        "deconv": Score("37.3", "S2 Q"),
        "pixel_shuffle": Score("37.5", "S2"),
        "carafe": Score("38.6", "S2"),
        "indexnet": Score("37.6", "S2"),
        "a2u": Score("37.3", "S2"),
        "fade": Score("38.5", "S2"),
        "sapa_i": Score("37.7", "S2"),
        "sapa_b": Score("37.8", "S2"),
        "sapa_g": Score("37.8", "S1"),
        "sapa_d": Score("39.2", "S2"),
        "dysample": Score("38.6", "D"),
        "dysample_plus": Score("38.7", "D"),
        "dysample_s_plus": Score("38.6", "Q"),
    },
)

INSTANCE = Scores(
    "instance",
    "mask_ap",
    "mask AP",
    "Mask R-CNN R50, COCO",
    0.01,
    {
        "nearest": Score("34.7", "D Q"),
        "deconv": Score("34.5", "Q"),
        "pixel_shuffle": Score("34.8", "Q"),
        "carafe": Score("35.4", "Q"),
        "indexnet": Score("34.7", "Q"),
        "a2u": Score("34.6", "Q"),
        "fade": Score("35.1", "Q"),
        "sapa_b": Score("35.1", "Q"),
        "dysample": Score("35.4", "D"),
        "dysample_plus": Score("35.7", "D Q"),
        "dysample_s_plus": Score("35.5", "Q"),
    },
)

PANOPTIC = Scores(
    "panoptic",
    "pq",
    "PQ",
    "Panoptic FPN R50, COCO",
    0.01,
    {
        "nearest": Score("40.2", "D Q"),
        "deconv": Score("39.6", "Q"),
        "pixel_shuffle": Score("40.0", "Q"),
        "carafe": Score("40.8", "Q"),
        "indexnet": Score("40.2", "Q"),
        "a2u": Score("40.1", "Q"),
        "fade": Score("40.9", "Q"),
        "sapa_b": Score("40.6", "Q"),
        "dysample": Score("41.4", "D"),
        "dysample_plus": Score("41.5", "D Q"),
        "dysample_s_plus": Score("41.1", "Q"),
    },
)

DEPTH = Scores(
    "depth",
    "abs_rel",
    "AbsRel",
    "DepthFormer Swin-T, NYU Depth v2",
    1.0,
    {"bilinear": Score("0.120", "P"), "dysample_plus": Score("0.116", "P")},
    higher_is_better=False,
)

SCORES = (SEMANTIC, BOUNDARY, DETECTION, INSTANCE, PANOPTIC, DEPTH)
"""Of each task the column of its main measure comes first."""


def main_scores(task: str) -> Scores | None:
    """The column of a task's main measure; None for a task of which nothing is published."""
    return next((scores for scores in SCORES if scores.task == task), None)

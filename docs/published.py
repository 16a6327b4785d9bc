"""Scores that the literature prints for the upsamplers, each with its source.

Costs, and what the keys of most sources mean, are in `dysample.costs.published`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dysample.costs.published import SOURCES as SOURCES_OF_COSTS

SOURCES: Mapping[str, str] = {
    **SOURCES_OF_COSTS,
    "Fig": "read off complexity.jpg of tiny-smart/dysample, within 0.01",
}


@dataclass(frozen=True)
class Scores:
    """SegFormer-B1 on ADE20K (mIoU, boundary IoU) and Faster R-CNN R50 on COCO (box AP), in %.

    Empty where nothing was found. `sources` and `ap_source` hold keys of `SOURCES`, `notes` keys
    of `NOTES`.
    """

    miou: str = ""
    biou: str = ""
    sources: str = ""
    ap: str = ""
    ap_source: str = ""
    notes: str = ""


SCORES: Mapping[str, Scores] = {
    "nearest": Scores(ap="37.5", ap_source="D Q"),
    "bilinear": Scores("41.68", "27.80", "F Fig", notes="bilinear"),
    "deconv": Scores("40.71", "25.94", "S2 Fig", "37.3", "S2 Q"),
    "pixel_shuffle": Scores("41.50", "26.58", "S2 Fig", "37.5", "S2"),
    "carafe": Scores("42.82", "29.84", "F S1 S2 Fig", "38.6", "S2"),
    "indexnet": Scores("41.50", "28.27", "F S1 S2", "37.6", "S2"),
    "a2u": Scores("41.45", "27.31", "F S1 S2", "37.3", "S2"),
    "fade": Scores("44.41", "32.65", "F", "38.5", "S2", "fade"),
    "fade_lite": Scores("43.49", "31.55", "F"),
    "sapa_i": Scores("43.05", "30.25", "S1 S2", "37.7", "S2"),
    "sapa_b": Scores("43.20", "30.96", "S1 S2 Fig", "37.8", "S2"),
    "sapa_g": Scores("44.39", "", "S1", "37.8", "S1"),
    "sapa_d": Scores("44.68", "31.74", "S2", "39.2", "S2"),
    "dysample": Scores("43.21", "", "Fig", "38.6", "D", "series"),
    "dysample_plus": Scores("43.28", "", "Fig", "38.7", "D", "series"),
    "dysample_s": Scores("43.23", "", "Fig", notes="series"),
    "dysample_s_plus": Scores("43.58", "", "Fig P", "38.6", "Q"),
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

"""Figure: the same frames predicted with every upsampler, errors at boundaries marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dysample.workbench.drawing.class_maps import (
    BAND,
    boundary_errors,
    densest_window,
    label_band,
    mark_errors,
)
from dysample.workbench.drawing.palette import IGNORED, WRONG, class_colour, paint
from dysample.workbench.drawing.sheet import CHARACTER, HEADER, LINE, MARGIN, Sheet, wrap
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.report.samples import Frame, decode_frame
from dysample.workbench.report.summary import Group, Row
from dysample.workbench.report.wording import settings_text

FRAMES = 4
"""At most so many frames; the file may hold more."""
COLUMNS = 8
"""At most so many panels side by side; more are wrapped, frame by frame."""
WINDOW = 80
"""Larger frames are shown as a window of this size, where a pixel is still visible."""
PANEL = 240
"""Side of a panel in figure pixels, roughly: label pixels are enlarged by a whole number."""
GAP = 10


@dataclass(frozen=True)
class Panel:
    """One picture with the line above and the line below it."""

    title: str
    pixels: NDArray[np.uint8]  # (H, W, 3)
    note: str = ""
    window: tuple[int, int, int, int] | None = None  # left, top, width, height of a rectangle


def draw_predictions(group: Group, path: Path) -> Path | None:
    """Rows are frames; columns are image, labels and one prediction each of the lowest seed.

    Returns None, and writes nothing, if the runs carry no frames.
    """
    runs = [(row, decode_samples(row)) for row in group.rows]
    runs = [(row, frames) for row, frames in runs if frames]
    indices = [index for index in (runs[0][1] if runs else ()) if all(index in f for _, f in runs)]
    if not indices:
        return None
    blocks = [_panels([(row, frames[index]) for row, frames in runs]) for index in indices[:FRAMES]]
    shown = [frames[index] for _, frames in runs for index in indices[:FRAMES]]
    return _lay_out(group, blocks, shown).save(path)


def decode_samples(row: Row) -> dict[int, Frame]:
    """Frames of the run with the lowest seed, by index."""
    record = row.records[0]
    return {sample.index: decode_frame(record, sample) for sample in record.samples}


def _panels(runs: Sequence[tuple[Row, Frame]]) -> list[Panel]:
    """All panels of one frame. The window is chosen by the labels alone, for all alike."""
    first = runs[0][1]
    H, W = first.label.shape
    height, width = min(H, WINDOW), min(W, WINDOW)
    top, left = densest_window(label_band(first.label), height, width)
    window = (slice(top, top + height), slice(left, left + width))
    panels = []
    if (height, width) != (H, W):
        panels.append(Panel("frame", first.image, window=(left, top, width, height)))
    panels.append(Panel(f"image {first.index}", first.image[window]))
    panels.append(Panel("labels", paint(first.label)[window]))
    for row, frame in runs:
        wrong, band = boundary_errors(frame.label, frame.prediction)
        share = 100 * wrong.sum() / max(1, band.sum())
        pixels = mark_errors(frame.label, frame.prediction)[window]
        title = f"{row.name} *" if row.guided else row.name
        panels.append(Panel(title, pixels, f"{share:.0f} % wrong ({wrong.sum()} px)"))
    return panels


def _lay_out(group: Group, blocks: Sequence[list[Panel]], shown: Sequence[Frame]) -> Sheet:
    count = len(blocks[0])
    lines = math.ceil(count / COLUMNS)
    columns = math.ceil(count / lines)
    H, W = (min(size, WINDOW) for size in shown[0].label.shape)
    enlarge = max(1, round(PANEL / max(H, W)))
    width, height = W * enlarge, H * enlarge
    sheet_width = 2 * MARGIN + columns * (width + GAP) - GAP
    caption = wrap(_caption(group), sheet_width - 2 * MARGIN)
    legend = _legend(group, shown)
    per_line = max(1, (sheet_width - 2 * MARGIN) // _legend_step(legend))
    legend_lines = math.ceil(len(legend) / per_line)
    line_height = 2 * LINE + height + GAP
    top = HEADER
    body = len(blocks) * (lines * line_height + GAP)
    foot = (legend_lines + len(caption)) * LINE + GAP
    sheet = Sheet(sheet_width, top + body + foot + MARGIN)
    sheet.heading(group.title, settings_text(group))
    for panels in blocks:
        for place, panel in enumerate(panels):
            left = MARGIN + place % columns * (width + GAP)
            _draw(sheet, panel, left, top + place // columns * line_height, (width, height))
        top += lines * line_height + GAP
    step = _legend_step(legend)
    for place, (name, colour) in enumerate(legend):
        left, down = MARGIN + place % per_line * step, top + place // per_line * LINE
        sheet.patch(left, down + 2, LINE - 6, colour)
        sheet.text(left + LINE, down, name)
    top += legend_lines * LINE + GAP
    for number, line in enumerate(caption):
        sheet.text(MARGIN, top + number * LINE, line)
    return sheet


def _draw(sheet: Sheet, panel: Panel, left: int, top: int, size: tuple[int, int]) -> None:
    sheet.title(left, top, size[0], panel.title)
    axes = sheet.image(left, top + LINE, panel.pixels, size)
    if panel.window is not None:
        x, y, width, height = panel.window
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec="w", lw=3))
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec="k", lw=1))
    sheet.text(left, top + LINE + size[1] + 4, panel.note, color="0.25")


def _legend(group: Group, shown: Sequence[Frame]) -> list[tuple[str, tuple[float, float, float]]]:
    """Names and colours of the classes that can be seen, then of what is no class."""
    names = group.data["classes"]
    pictures = [picture for frame in shown for picture in (frame.label, frame.prediction)]
    seen = np.unique(np.concatenate([picture.ravel() for picture in pictures]))
    entries = [
        (str(names[index]) if index < len(names) else f"class {index}", class_colour(index))
        for index in seen.tolist()
        if index != IGNORE
    ]
    if any((frame.label == IGNORE).any() for frame in shown):
        entries.append(("ignored", to_rgb(IGNORED)))
    elif any((frame.prediction == IGNORE).any() for frame in shown):
        entries.append(("in no segment", to_rgb(IGNORED)))
    return [*entries, ("wrong boundary pixel", to_rgb(WRONG))]


def _legend_step(legend: Sequence[tuple[str, object]]) -> int:
    return 2 * LINE + CHARACTER * max(len(name) for name, _ in legend)


def _caption(group: Group) -> str:
    seeds = {row.records[0].seed for row in group.rows}
    seed = f"seed {seeds.pop()}" if len(seeds) == 1 else "the lowest seed of each"
    text = (
        f"Predictions of {seed}. Marked: wrong pixels at most {BAND} px from a label boundary; "
        "below each panel their share and number in the whole frame."
    )
    if max(group.data["height"], group.data["width"]) > WINDOW:
        text += " Shown is the window with the most label boundaries (box in the first panel)."
    return text + (" * guided" if any(row.guided for row in group.rows) else "")

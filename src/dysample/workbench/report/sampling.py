"""Figure: where an upsampler sampled, as points on the image and as a map of the offsets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dysample.workbench.drawing.class_maps import densest_window, label_band, label_edges
from dysample.workbench.drawing.offsets import direction_colours, wheel
from dysample.workbench.drawing.palette import GROUPS
from dysample.workbench.drawing.sheet import HEADER, LINE, MARGIN, Sheet, wrap
from dysample.workbench.record import Sampling
from dysample.workbench.report.predictions import decode_samples
from dysample.workbench.report.samples import (
    POSITION_UNIT,
    Frame,
    decode_positions,
    regular_positions,
)
from dysample.workbench.report.summary import Group, Row
from dysample.workbench.report.wording import settings_text

WINDOW = 6
"""Side of the enlarged window in low-res pixels."""
STRIDE = 3
"""Every so many output pixels get their points drawn; odd, because at an even stride and a scale
of 2 all of them would lie alike in their low-res pixels, whose offsets are alike too."""
PANEL = 400
GAP = 20
SCALE_WIDTH = 52
"""Room for the colour scale and its numbers, in figure pixels."""
WHEEL = 72
"""Side of the colour wheel, in figure pixels."""

CAPTION = (
    "First: the frame; its box, where the label boundaries are densest, is enlarged beside it. "
    "Second: a black dot is where bilinear upsampling samples the low-res features for one output "
    "pixel (every third one is drawn), the coloured dots tied to it are where each group sampled "
    "instead. Grey lines divide the low-res pixels, black lines the labels. Third: length of the "
    "offset in low-res pixels, mean over groups. Fourth: the mean offset of the groups, its "
    "direction as hue (see the wheel), paler if shorter. A regular check pattern is what each "
    "place within a low-res pixel learned to add everywhere, whatever the image shows."
)


@dataclass(frozen=True)
class Sampled:
    """One line of the figure; offsets (groups, 2, out_height, out_width) in low-res pixels."""

    row: Row
    frame: Frame
    sampling: Sampling
    offsets: NDArray[np.float64]

    @property
    def length(self) -> NDArray[np.float64]:
        """Mean length over groups, (out_height, out_width)."""
        length: NDArray[np.float64] = np.hypot(self.offsets[:, 0], self.offsets[:, 1])
        return np.asarray(length.mean(axis=0))


def draw_sampling(group: Group, path: Path) -> Path | None:
    """One line of panels for each upsampler that samples points, from its lowest seed.

    Returns None, and writes nothing, if no run of the group carries sampling positions.
    """
    shown = [one for row in group.rows if (one := _sampled(row)) is not None]
    if not shown:
        return None
    # One scale for all lines, so that upsamplers can be compared.
    longest = max(float(np.quantile(one.length, 0.99)) for one in shown)
    longest = max(longest, POSITION_UNIT)
    H, W = shown[0].frame.label.shape
    size = (PANEL, round(PANEL * H / W))
    width = 4 * PANEL + 2 * GAP + SCALE_WIDTH + 2 * MARGIN
    caption = wrap(CAPTION, width - WHEEL - 3 * MARGIN)
    step = LINE + size[1] + GAP
    foot = max(WHEEL + LINE, len(caption) * LINE)
    top = HEADER
    sheet = Sheet(width, top + step * len(shown) + foot + MARGIN)
    sheet.heading(group.title, settings_text(group))
    for one in shown:
        _draw_line(sheet, top, one, size, longest)
        top += step
    for number, line in enumerate(caption):
        sheet.text(MARGIN, top + number * LINE, line)
    corner = sheet.axes(width - MARGIN - WHEEL, top, WHEEL, WHEEL)
    corner.imshow(wheel(), interpolation="nearest")
    corner.axis("off")
    return sheet.save(path)


def _sampled(row: Row) -> Sampled | None:
    """The frame with the most label boundaries among those whose sampling is known."""
    frames = [
        (frame, frame.sampling)
        for frame in decode_samples(row).values()
        if frame.sampling is not None
    ]
    if not frames:
        return None
    frame, sampling = max(frames, key=lambda one: label_band(one[0].label).sum())
    try:
        positions = decode_positions(sampling)
    except ValueError as error:
        raise ValueError(f"{row.records[0].source}: sample {frame.index}: {error}") from None
    return Sampled(row, frame, sampling, positions - regular_positions(sampling))


def _draw_line(sheet: Sheet, top: int, one: Sampled, size: tuple[int, int], longest: float) -> None:
    frame, sampling = one.frame, one.sampling
    title = (
        f"{one.row.name}, frame {frame.index}, seed {one.row.records[0].seed}: finest branch, "
        f"{sampling.height}x{sampling.width} to {sampling.out_height}x{sampling.out_width}, "
        f"{sampling.groups} groups"
    )
    lefts = [MARGIN, MARGIN + PANEL + GAP // 2, MARGIN + 2 * PANEL + GAP]
    lefts.append(lefts[-1] + PANEL + SCALE_WIDTH + GAP)
    sheet.title(lefts[0], top, 2 * PANEL, title)
    sheet.text(lefts[2], top, "length of the offset (low-res px)")
    sheet.text(lefts[3], top, "direction of the mean offset")
    top += LINE
    H, W = frame.label.shape
    # The window has the shape of the frame and is WINDOW low-res pixels wide.
    width = min(W, round(WINDOW * W / sampling.width))
    height = max(1, round(width * H / W))
    row, column = densest_window(label_band(frame.label), height, width)
    whole = sheet.image(lefts[0], top, frame.image, size)
    for colour, line in (("w", 4), ("k", 1.5)):
        whole.add_patch(
            Rectangle((column - 0.5, row - 0.5), width, height, fill=False, ec=colour, lw=line)
        )
    near = sheet.image(lefts[1], top, (0.5 * frame.image + 127.5).astype(np.uint8), size)
    _draw_points(near, one, (column, row, width, height))
    extent = (-0.5, W - 0.5, H - 0.5, -0.5)
    lengths = sheet.axes(lefts[2], top, *size)
    shades = lengths.imshow(
        one.length, extent=extent, cmap="viridis", vmin=0, vmax=longest, interpolation="nearest"
    )
    scale = sheet.axes(lefts[2] + PANEL + 6, top, 12, size[1])
    sheet.figure.colorbar(shades, cax=scale)
    directions = sheet.axes(lefts[3], top, *size)
    colours = direction_colours(one.offsets.mean(axis=0), longest)
    directions.imshow(colours, extent=extent, interpolation="nearest")
    for axes, colour in ((near, "k"), (lengths, "w"), (directions, "k")):
        axes.add_collection(
            LineCollection(
                label_edges(frame.label), colors=colour, linewidths=2 if axes is near else 0.8
            )
        )


def _draw_points(axes: Axes, one: Sampled, window: tuple[int, int, int, int]) -> None:
    """Regular and sampled positions of some output pixels inside a window of the frame."""
    left, top, width, height = window
    sampling = one.sampling
    H, W = one.frame.label.shape
    cell = np.array([W / sampling.width, H / sampling.height])[:, None, None]
    # A low-res pixel covers `cell` frame pixels, and centres of both lie at integers.
    regular = (regular_positions(sampling) + 0.5) * cell - 0.5
    inside = np.zeros(regular.shape[1:], dtype=np.bool_)
    inside[::STRIDE, ::STRIDE] = True
    for axis, (start, length) in enumerate(((left, width), (top, height))):
        inside &= (regular[axis] > start - 0.5) & (regular[axis] < start + length - 0.5)
    start = regular[:, inside]
    axes.set_xlim(left - 0.5, left + width - 0.5)
    axes.set_ylim(top + height - 0.5, top - 0.5)
    for column in range(sampling.width + 1):
        axes.axvline(column * W / sampling.width - 0.5, color="0.6", lw=0.8)
    for line in range(sampling.height + 1):
        axes.axhline(line * H / sampling.height - 0.5, color="0.6", lw=0.8)
    for number, offset in enumerate(one.offsets):
        end = start + (offset * cell)[:, inside]
        colour = GROUPS[number % len(GROUPS)]
        ties = np.stack([start.T, end.T], axis=1)
        axes.add_collection(LineCollection(list(ties), colors=colour, linewidths=1.5, zorder=3))
        axes.scatter(end[0], end[1], s=34, color=colour, edgecolors="k", linewidths=0.5, zorder=4)
    axes.scatter(start[0], start[1], s=16, color="k", zorder=5)

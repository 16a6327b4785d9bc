"""The figure of one model on one image: what a pixel reads, offsets, features, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dysample.look.detail import draw_detail
from dysample.look.features import Basis, fit_basis
from dysample.look.fields import Field, fields_of
from dysample.look.legend import draw_classes, draw_groups, draw_scale, draw_wheel
from dysample.look.marks import draw_reading
from dysample.look.reading import Reading, read
from dysample.look.subject import Subject
from dysample.look.words import (
    describe_errors,
    describe_features,
    describe_fields,
    describe_reading,
)
from dysample.nn import Bilinear, Nearest
from dysample.report.boundary import boundary_errors
from dysample.report.palette import paint
from dysample.report.predictions import mark_errors
from dysample.report.sampling import direction_colours, label_edges
from dysample.report.sheet import HEADER, LINE, MARGIN, Sheet, wrap

PANEL = 288
GAP = 18
PAD = 6
"""Between a row and its caption."""
LEGEND = 216
COLUMNS = 4
WIDTH = 2 * MARGIN + COLUMNS * (PANEL + GAP) + LEGEND
SHORTEST = 0.05
"""Longest offset at least, in low-res pixels, that gets the full colour: noise stays pale."""


def draw(subject: Subject, pixel: tuple[int, int]) -> Sheet:
    """Draw everything that there is to see.

    Args:
        subject: model and image.
        pixel: row and column in the upsampler's output.
    """
    call = subject.call
    reading = read(call.upsampler, call.x, call.guide, call.size, pixel)
    fields = fields_of(call)
    values = _values(subject)
    basis = fit_basis(values)
    shape = _shape(subject.image.shape[:2])
    rows = -(-len(fields) // COLUMNS)
    texts = [
        describe_reading(reading, subject, pixel),
        describe_fields(fields),
        describe_features(basis),
        describe_errors(subject),
    ]
    # `wrap` counts on the sheet's usual text, which is a fifth wider.
    captions = [wrap(text, round(1.2 * (WIDTH - 2 * MARGIN))) if text else [] for text in texts]
    heights = [
        2 * LINE + PANEL,
        rows * (LINE + shape[1] + GAP) + LINE if fields else 0,
        2 * LINE + shape[1],
        3 * LINE + shape[1] if subject.predictions else 0,
    ]
    total = HEADER + sum(
        height + PAD + LINE * len(lines) + GAP for height, lines in zip(heights, captions) if height
    )
    sheet = Sheet(WIDTH, total + MARGIN)
    H, W = call.low
    sizes = f"{W}x{H} to {call.size[1]}x{call.size[0]}, {call.x.shape[1]} channels"
    where = f", upsampler {call.site}" if call.site else ""
    sheet.heading(subject.title, f"{subject.name}{where}, {sizes}")
    top = HEADER
    drawers: list[Any] = [
        lambda top: _draw_reading(sheet, top, subject, reading, pixel, basis, values),
        lambda top: _draw_fields(sheet, top, subject, fields, shape, pixel),
        lambda top: _draw_features(sheet, top, subject, basis, values, shape, pixel),
        lambda top: _draw_errors(sheet, top, subject, shape),
    ]
    for drawer, height, lines in zip(drawers, heights, captions):
        if not height:
            continue
        drawer(top)
        top += height + PAD
        for number, line in enumerate(lines):
            sheet.text(MARGIN, top + number * LINE, line, color="0.25", fontsize=11)
        top += LINE * len(lines) + GAP
    return sheet


def _values(subject: Subject) -> Any:
    """What is summed or sampled, (C, H, W): the features, projected where the upsampler does."""
    up: Any = subject.call.upsampler
    projected = up.project(subject.call.x) if hasattr(up, "project") else subject.call.x
    return projected[0].detach()


def _shape(size: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of the image's panel: as large as fits into a square."""
    H, W = size
    longest = max(H, W)
    return round(PANEL * W / longest), round(PANEL * H / longest)


def _left(column: int) -> int:
    return MARGIN + column * (PANEL + GAP)


def _extent(subject: Subject) -> tuple[float, float, float, float]:
    """Of the whole image in low-res pixels, for `imshow`."""
    H, W = subject.call.low
    return -0.5, W - 0.5, H - 0.5, -0.5


def _edges(subject: Subject) -> list[NDArray[np.float64]]:
    """Lines between labels in low-res pixels."""
    if subject.label is None:
        return []
    (H, W), (Y, X) = subject.call.low, subject.label.shape
    ratio = np.array([W / X, H / Y])
    return [(np.asarray(edge) + 0.5) * ratio - 0.5 for edge in label_edges(subject.label)]


def _draw_reading(
    sheet: Sheet,
    top: int,
    subject: Subject,
    reading: Reading,
    pixel: tuple[int, int],
    basis: Basis,
    values: Any,
) -> None:
    call = subject.call
    sheet.text(MARGIN, top, f"What output pixel ({pixel[0]}, {pixel[1]}) reads", weight="bold")
    top += LINE
    shape = _shape(subject.image.shape[:2])
    sheet.text(_left(0), top, "image")
    whole = _show(sheet, subject, subject.image, _left(0), top + LINE, shape)
    near: list[Axes] = []
    for column, (title, pixels) in enumerate(
        (("on the image", subject.image), ("on the low-res features", basis.colours(values))), 1
    ):
        sheet.text(_left(column), top, title)
        axes = _show(sheet, subject, pixels, _left(column), top + LINE, (PANEL, PANEL))
        draw_reading(axes, reading, call.size, call.low, pixel, _edges(subject), _window(reading))
        near.append(axes)
    (left, right), (low, high) = near[0].get_xlim(), near[0].get_ylim()
    for colour, width in (("w", 4.0), ("k", 1.5)):
        whole.add_patch(
            Rectangle((left, high), right - left, low - high, fill=False, ec=colour, lw=width)
        )
    title = draw_detail(sheet.axes(_left(3), top + LINE, PANEL, PANEL), reading)
    sheet.text(_left(3), top, title)
    draw_groups(sheet, _left(4), top + LINE, reading)


def _window(reading: Reading) -> float:
    """Low-res pixels to each side: what holds a usual kernel, and every point."""
    reach = np.abs(reading.places - reading.places.mean(0)).max()
    return float(min(max(2.3, reach + 0.8), 8))


def _draw_fields(
    sheet: Sheet,
    top: int,
    subject: Subject,
    fields: list[Field],
    shape: tuple[int, int],
    pixel: tuple[int, int],
) -> None:
    offsets = [field.values for field in fields if field.values.ndim == 3]
    lengths = [float(np.quantile(np.hypot(*values), 0.95)) for values in offsets]
    longest = max([SHORTEST, *lengths])
    title = "Offsets from where bilinear reads" if offsets else "What it weighs"
    sheet.text(MARGIN, top, title, weight="bold")
    top += LINE
    legend = top + LINE
    if offsets:
        legend = draw_wheel(sheet, _left(4), legend, longest)
    for number, field in enumerate(fields):
        left = _left(number % COLUMNS)
        down = top + number // COLUMNS * (LINE + shape[1] + GAP)
        sheet.title(left, down, PANEL, field.title)
        if field.values.ndim == 3:
            colours: Any = direction_colours(field.values, longest)
            axes = _show(sheet, subject, colours, left, down + LINE, shape)
        else:
            axes = sheet.axes(left, down + LINE, *shape)
            axes.imshow(
                field.values,
                extent=_extent(subject),
                cmap="viridis",
                vmin=field.limits[0],
                vmax=field.limits[1],
                interpolation="nearest",
                aspect="auto",
            )
            legend = draw_scale(sheet, _left(4), legend, field.title, field.limits)
        _mark(axes, subject, pixel)


def _draw_features(
    sheet: Sheet,
    top: int,
    subject: Subject,
    basis: Basis,
    values: Any,
    shape: tuple[int, int],
    pixel: tuple[int, int],
) -> None:
    call = subject.call
    sheet.text(MARGIN, top, "Features before and after", weight="bold")
    top += LINE
    channels = len(values)
    fixed = [
        (name, kind(channels)) for name, kind in (("nearest", Nearest), ("bilinear", Bilinear))
    ]
    out = call.out[0]
    own = basis if len(out) == channels else fit_basis(out)
    panels = [("before: low-res features", basis.colours(values))]
    for name, module in fixed:
        panels.append((f"{name} of them", basis.colours(module(values[None], size=call.size)[0])))
    title = "after: this upsampler" + ("" if own is basis else " (basis of its own)")
    panels.append((title, own.colours(out)))
    for column, (name, pixels) in enumerate(panels):
        sheet.title(_left(column), top, PANEL, name)
        axes = _show(sheet, subject, pixels, _left(column), top + LINE, shape)
        _mark(axes, subject, pixel)
    lines = wrap(f"{100 * basis.explained:.0f} % of the variance is in the three colours", LEGEND)
    for number, line in enumerate(lines):
        sheet.text(_left(4), top + LINE + number * LINE, line, fontsize=11)


def _draw_errors(sheet: Sheet, top: int, subject: Subject, shape: tuple[int, int]) -> None:
    assert subject.label is not None
    sheet.text(MARGIN, top, "Errors at label boundaries", weight="bold")
    top += LINE
    sheet.text(_left(0), top, "labels")
    sheet.image(_left(0), top + LINE, paint(subject.label), shape)
    for column, (name, prediction) in enumerate(subject.predictions.items(), 1):
        wrong, band = boundary_errors(subject.label, prediction)
        sheet.title(_left(column), top, PANEL, name)
        sheet.image(_left(column), top + LINE, mark_errors(subject.label, prediction), shape)
        share = 100 * wrong.sum() / max(1, band.sum())
        note = f"{share:.0f} % wrong ({wrong.sum()} of {band.sum()} px)"
        sheet.text(_left(column), top + LINE + shape[1] + 3, note, fontsize=11)
    draw_classes(sheet, _left(4), top + LINE, subject)


def _show(
    sheet: Sheet, subject: Subject, pixels: Any, left: int, top: int, shape: tuple[int, int]
) -> Axes:
    """A picture of the whole image, whose axes count low-res pixels."""
    axes = sheet.axes(left, top, *shape)
    axes.imshow(pixels, extent=_extent(subject), interpolation="nearest", aspect="auto")
    return axes


def _mark(axes: Axes, subject: Subject, pixel: tuple[int, int]) -> None:
    """A frame around the output pixel."""
    (H, W), (Y, X) = subject.call.low, subject.call.size
    corner = (pixel[1] - 1) * W / X - 0.5, (pixel[0] - 1) * H / Y - 0.5
    for colour, width in (("w", 3.5), ("k", 1.5)):
        axes.add_patch(Rectangle(corner, 3 * W / X, 3 * H / Y, fill=False, ec=colour, lw=width))

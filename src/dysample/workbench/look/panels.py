"""The panels of the figure, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dysample.nn import Bilinear, Nearest
from dysample.workbench.drawing.class_maps import boundary_errors, label_edges, mark_errors
from dysample.workbench.drawing.offsets import direction_colours
from dysample.workbench.drawing.palette import paint
from dysample.workbench.drawing.sheet import LINE, MARGIN, Sheet, wrap
from dysample.workbench.look.detail import draw_detail
from dysample.workbench.look.features import Basis, fit_basis
from dysample.workbench.look.fields import Field
from dysample.workbench.look.legend import draw_classes, draw_groups, draw_scale, draw_wheel
from dysample.workbench.look.marks import draw_reading
from dysample.workbench.look.reading import Reading
from dysample.workbench.look.subject import Subject

PANEL = 288
GAP = 18
LEGEND = 216
COLUMNS = 4
WIDTH = 2 * MARGIN + COLUMNS * (PANEL + GAP) + LEGEND
SHORTEST = 0.05
"""Longest offset at least, in low-res pixels, that gets the full colour: noise stays pale."""


def values_of(subject: Subject) -> Any:
    """Return the features (C, H, W) that are summed or sampled, projected if the upsampler does."""
    call = subject.call
    return call.inspect().values[0].detach()


def shape_of(size: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of the image's panel: as large as fits into a square."""
    H, W = size
    longest = max(H, W)
    return round(PANEL * W / longest), round(PANEL * H / longest)


def _left(column: int) -> int:
    return MARGIN + column * (PANEL + GAP)


def _extent(subject: Subject) -> tuple[float, float, float, float]:
    """Return the extent of the whole image in low-res pixels, for `imshow`."""
    H, W = subject.call.low
    return -0.5, W - 0.5, H - 0.5, -0.5


def _edges(subject: Subject) -> list[NDArray[np.float64]]:
    """Lines between labels in low-res pixels."""
    if subject.label is None:
        return []
    (H, W), (Y, X) = subject.call.low, subject.label.shape
    ratio = np.array([W / X, H / Y])
    return [(np.asarray(edge) + 0.5) * ratio - 0.5 for edge in label_edges(subject.label)]


def draw_reads(
    sheet: Sheet,
    top: int,
    subject: Subject,
    reading: Reading,
    pixel: tuple[int, int],
    basis: Basis,
    values: Any,
) -> None:
    """The image, the reading on it and on the features, and its numbers."""
    call = subject.call
    shape = shape_of(subject.image.shape[:2])
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


def draw_fields(
    sheet: Sheet,
    top: int,
    subject: Subject,
    fields: list[Field],
    shape: tuple[int, int],
    pixel: tuple[int, int],
) -> None:
    """Offsets as colours of one wheel, numbers as shades; the output pixel is framed."""
    offsets = [field.values for field in fields if field.values.ndim == 3]
    lengths = [float(np.quantile(np.hypot(*values), 0.95)) for values in offsets]
    longest = max([SHORTEST, *lengths])
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


def draw_features(
    sheet: Sheet,
    top: int,
    subject: Subject,
    basis: Basis,
    values: Any,
    shape: tuple[int, int],
    pixel: tuple[int, int],
) -> None:
    """Features before, by the fixed interpolations, and after."""
    call = subject.call
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


def draw_errors(sheet: Sheet, top: int, subject: Subject, shape: tuple[int, int]) -> None:
    """The labels, and every prediction with its wrong boundary pixels."""
    assert subject.label is not None
    sheet.text(_left(0), top, "labels")
    sheet.image(_left(0), top + LINE, paint(subject.label), shape)
    for column, (name, prediction) in enumerate(subject.predictions.items(), 1):
        wrong, band = boundary_errors(subject.label, prediction)
        sheet.title(_left(column), top, PANEL, name)
        sheet.image(_left(column), top + LINE, mark_errors(subject.label, prediction), shape)
        share = 100 * wrong.sum() / max(1, band.sum())
        note = f"{share:.0f} % wrong ({wrong.sum()} of {band.sum()} px)"
        sheet.text(_left(column), top + LINE + shape[1] + 5, note, fontsize=11)
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

"""The figure of one model on one image: what a pixel reads, offsets, features, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dysample.workbench.drawing.sheet import HEADER, LINE, MARGIN, Sheet, wrap
from dysample.workbench.look.features import fit_basis
from dysample.workbench.look.fields import fields_of
from dysample.workbench.look.legend import SCALE_HEIGHT, WHEEL_HEIGHT, shown_classes
from dysample.workbench.look.panels import (
    COLUMNS,
    GAP,
    LEGEND,
    PANEL,
    WIDTH,
    draw_errors,
    draw_features,
    draw_fields,
    draw_reads,
    shape_of,
    values_of,
)
from dysample.workbench.look.reading import read
from dysample.workbench.look.subject import Subject
from dysample.workbench.look.words import (
    describe_errors,
    describe_features,
    describe_fields,
    describe_reading,
)

PAD = 6
"""Between a row and its caption, in pixels."""


@dataclass(frozen=True)
class Row:
    """A row of panels.

    Attributes:
        title: above it.
        height: of what `draw` draws, in pixels.
        caption: below it.
        draw: called with where the panels begin.
    """

    title: str
    height: int
    caption: str
    draw: Callable[[Sheet, int], None]


def draw(subject: Subject, pixel: tuple[int, int]) -> Sheet:
    """Draw the whole figure.

    Args:
        subject: model and image.
        pixel: row and column in the upsampler's output.
    """
    call = subject.call
    rows = _rows(subject, pixel)
    # `wrap` counts on the sheet's usual text, which is a fifth wider.
    captions = [wrap(row.caption, round(1.2 * (WIDTH - LEGEND - MARGIN))) for row in rows]
    heights = [
        LINE + row.height + PAD + LINE * len(lines) + GAP for row, lines in zip(rows, captions)
    ]
    sheet = Sheet(WIDTH, HEADER + sum(heights))
    H, W = call.low
    sizes = f"{W}x{H} to {call.size[1]}x{call.size[0]}, {call.x.shape[1]} channels"
    where = f", upsampler {call.site}" if call.site else ""
    sheet.heading(subject.title, f"{subject.name}{where}, {sizes}")
    top = HEADER
    for row, lines, height in zip(rows, captions, heights):
        sheet.text(MARGIN, top, row.title, weight="bold")
        row.draw(sheet, top + LINE)
        below = top + LINE + row.height + PAD
        for number, line in enumerate(lines):
            sheet.text(MARGIN, below + number * LINE, line, color="0.25", fontsize=11)
        top += height
    return sheet


def _rows(subject: Subject, pixel: tuple[int, int]) -> list[Row]:
    call = subject.call
    with call.cast():
        reading = read(call.upsampler, call.x, call.guide, call.size, pixel)
    fields = fields_of(call)
    values = values_of(subject)
    basis = fit_basis(values)
    shape = shape_of(subject.image.shape[:2])
    rows = [
        Row(
            f"What output pixel ({pixel[0]}, {pixel[1]}) reads",
            LINE + PANEL,
            describe_reading(reading, subject),
            lambda sheet, top: draw_reads(sheet, top, subject, reading, pixel, basis, values),
        )
    ]
    if fields:
        offsets = any(field.values.ndim == 3 for field in fields)
        scales = sum(field.values.ndim == 2 for field in fields)
        lines = -(-len(fields) // COLUMNS)
        rows.append(
            Row(
                "Offsets from where bilinear reads" if offsets else "What it weighs",
                max(
                    lines * (LINE + shape[1] + GAP) - GAP,
                    LINE + WHEEL_HEIGHT * offsets + SCALE_HEIGHT * scales,
                ),
                describe_fields(fields),
                lambda sheet, top: draw_fields(sheet, top, subject, fields, shape, pixel),
            )
        )
    rows.append(
        Row(
            "Features before and after",
            LINE + max(shape[1], 3 * LINE),
            describe_features(),
            lambda sheet, top: draw_features(sheet, top, subject, basis, values, shape, pixel),
        )
    )
    if subject.predictions:
        rows.append(
            Row(
                "Errors at label boundaries",
                LINE + max(shape[1] + LINE, LINE * (len(shown_classes(subject)) + 1)),
                describe_errors(subject),
                lambda sheet, top: draw_errors(sheet, top, subject, shape),
            )
        )
    return rows

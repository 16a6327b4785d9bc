"""The legend on the right of the figure."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from dysample.workbench.drawing.offsets import wheel
from dysample.workbench.drawing.palette import GROUPS, WRONG, class_colour
from dysample.workbench.drawing.sheet import LINE, Sheet
from dysample.workbench.look.reading import Reading
from dysample.workbench.look.subject import Subject
from dysample.workbench.metrics.boundary import IGNORE

WHEEL = 110
TEXT = 11
WHEEL_HEIGHT = WHEEL + 4 + 4 * LINE
SCALE_HEIGHT = 3 * LINE + 8


def draw_groups(sheet: Sheet, left: int, top: int, reading: Reading) -> None:
    """Draw the colour and the offset of each group; for kernels, the meaning of the squares."""
    if reading.ties is None or reading.group is None:
        sheet.patch(left, top + 3, LINE - 6, "#404040")
        sheet.text(left + LINE + 4, top, "area: weight", fontsize=TEXT)
        return
    sheet.text(left, top, "x and y offset:", fontsize=TEXT)
    offsets = reading.places - reading.ties
    for place, group in enumerate(np.unique(reading.group), 1):
        mine = reading.group == group
        x, y = np.average(offsets[mine], axis=0, weights=reading.weights[mine])
        sheet.patch(left, top + place * LINE + 3, LINE - 6, GROUPS[group % len(GROUPS)])
        text = f"group {group + 1}: {x:+.2f} {y:+.2f}"
        sheet.text(left + LINE + 4, top + place * LINE, text, fontsize=TEXT)


def draw_wheel(sheet: Sheet, left: int, top: int, longest: float) -> int:
    """Draw the colour wheel of directions, and return where the next entry begins."""
    axes = sheet.axes(left, top, WHEEL, WHEEL)
    axes.imshow(wheel(), interpolation="bilinear")
    axes.axis("off")
    lines = ("rim: offset of", f"{longest:.2g} low-res px or more", "right is +x, down is +y")
    for number, line in enumerate(lines):
        sheet.text(left, top + WHEEL + 4 + number * LINE, line, fontsize=TEXT)
    return top + WHEEL_HEIGHT


def draw_scale(sheet: Sheet, left: int, top: int, title: str, limits: tuple[float, float]) -> int:
    """Draw a colour bar from the smallest to the largest number; returns as `draw_wheel`."""
    sheet.text(left, top, title, fontsize=TEXT)
    axes = sheet.axes(left, top + LINE, 2 * WHEEL - 20, 12)
    axes.imshow(np.linspace(0, 1, 256)[None], cmap="viridis", aspect="auto")
    for place, number in ((0, limits[0]), (2 * WHEEL - 20, limits[1])):
        side = "left" if place == 0 else "right"
        sheet.text(left + place, top + LINE + 14, f"{number:g}", fontsize=TEXT, ha=side)
    return top + SCALE_HEIGHT


def shown_classes(subject: Subject) -> list[int]:
    """Return the classes that occur in the labels or a prediction, `IGNORE` last."""
    assert subject.label is not None
    found: list[int] = np.unique(np.stack([subject.label, *subject.predictions.values()])).tolist()
    return found


def draw_classes(sheet: Sheet, left: int, top: int, subject: Subject) -> None:
    """Draw the colours of the classes that occur, and that of errors."""
    entries = [
        ("ignored" if k == IGNORE else subject.classes[k], class_colour(k))
        for k in shown_classes(subject)
    ]
    entries.append(("wrong at a boundary", to_rgb(WRONG)))
    for number, (name, colour) in enumerate(entries):
        sheet.patch(left, top + number * LINE + 3, LINE - 6, colour)
        sheet.text(left + LINE + 4, top + number * LINE, name, fontsize=TEXT)

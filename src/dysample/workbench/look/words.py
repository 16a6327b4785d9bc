"""The captions of the figure, which say what is shown and no more."""

from __future__ import annotations

from dysample.workbench.drawing.class_maps import BAND
from dysample.workbench.look.fields import Field
from dysample.workbench.look.models import REFERENCES
from dysample.workbench.look.reading import Reading
from dysample.workbench.look.subject import Subject


def describe_reading(reading: Reading, subject: Subject) -> str:
    """Return the caption of the first row."""
    grid = "White lines divide the low-res pixels; the pale square is the output pixel."
    if reading.ties is not None:
        return (
            f"{grid} A coloured dot is where a group of channels samples the features, tied to"
            f" {reading.start if reading.start != 'bilinear' else 'where bilinear samples'} (black"
            " dot)."
        )
    if not reading.derivative:
        return f"{grid} A dark square is the weight of the low-res pixel under it, by its area."
    return (
        f"{grid} A dark square is how much the output depends on the low-res pixel under it: the"
        " norm of the derivative over channels, of fixed interpolation its weight."
    )


def describe_fields(fields: list[Field]) -> str:
    """Return the caption of the fields."""
    parts = []
    if any(field.values.ndim == 3 for field in fields):
        parts.append("Hue is the direction of the offset, paler if shorter.")
    if any(field.title.startswith("offset") for field in fields):
        parts.append(
            "A regular check pattern is what each place within a low-res pixel learned to add"
            " everywhere."
        )
    if any(field.title.startswith("neighbours") for field in fields):
        parts.append(
            "Neighbours that count: the exponential of the kernel's entropy, 1 for the copy of a"
            " single pixel."
        )
    return " ".join(parts)


def describe_features() -> str:
    """Return the caption of the features."""
    return (
        "The first three principal components of the low-res features as red, green and blue;"
        " every panel has the same basis and range unless it says otherwise."
    )


def describe_errors(subject: Subject) -> str:
    """Return the caption of the predictions."""
    if not subject.predictions:
        return ""
    own = list(subject.predictions)[-1]
    text = f"Predictions; wrong pixels at most {BAND} px from a label boundary are black."
    others = [name for name in subject.predictions if name != own]
    if others:
        return f"{text} {' and '.join(others).capitalize()}: trained alike, in a model each."
    wanted = " or ".join(name for name in REFERENCES if name != own)
    return f"{text} No run with {wanted} lies beside this one."

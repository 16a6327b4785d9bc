"""Models that are exported, and the table of how far from their own numbers the files are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.export import Export, ExportError, export_onnx
from support.upsamplers import NAMES, C, features, guide_for, lively

# The steps of its design are DySample with other options: the same code, the same graph.
UPSAMPLERS = [name for name in NAMES if not name.startswith("dysample_step")]
SAMPLING = [name for name in UPSAMPLERS if name.startswith("dysample") or name == "sapa_d"]
FORMS = {
    "float32": (torch.float32, "grid_sample"),
    "float32, gathers": (torch.float32, "gather"),
    "float16": (torch.float16, "grid_sample"),
}
"""Columns of the table: dtype and sampler."""
BOTH = ("float32", "float16")
NOT_RUN = "not run"
OPSETS = range(11, 18)
"""Those of traces."""


@dataclass(frozen=True)
class Case:
    """A model to export.

    Args:
        name: in the table.
        build: makes the model and what it is called with.
        forms: in which it is exported, of `FORMS`. Only what samples between pixels differs with
            gathers; of models that take minutes not every form is.
    """

    name: str
    build: Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]
    forms: tuple[str, ...] = tuple(FORMS)

    def export(self, form: str, path: Path) -> Export:
        """Write it to a file, compared with the model at two other sizes."""
        torch.manual_seed(0)
        dtype, sampler = FORMS[form]
        model, args = self.build()
        args = tuple(x.to(dtype) for x in args)
        return export_onnx(model.to(dtype).eval(), args, path, sampler=sampler)


def upsampler(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    return up, (x,) if guide is None else (x, guide)


class Stack(nn.Module):
    """Every upsampler, one after the other, with the image as the guide of those that read one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, C, 3, padding=1)
        self.ups = nn.ModuleList(lively(name).float() for name in UPSAMPLERS)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.stem(image).tanh()
        out = fine
        for up in self.ups:
            out = up(F.avg_pool2d(out, 2).tanh(), fine if up.guided else None, size=fine.shape[-2:])
        return out


def stack() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return Stack(), (torch.randn(2, 3, 16, 24),)


def segformer() -> tuple[nn.Module, tuple[Tensor, ...]]:
    from dysample.workbench.models.segformer import build_segformer

    return build_segformer("b0", "dysample", {}, 5, 0), (torch.randn(2, 3, 64, 96),)


class Dense(nn.Module):
    """Faster R-CNN up to where its boxes are sorted out: pyramid, scores and offsets of anchors."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.rpn.head

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(image)
        scores, deltas = self.head(list(maps.values()))
        anchors = {f"scores_{i}": s for i, s in enumerate(scores)}
        return {**maps, **anchors, **{f"deltas_{i}": d for i, d in enumerate(deltas)}}


def faster_rcnn(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    from dysample.workbench.models.rcnn import build_rcnn

    detector = build_rcnn("detection", 50, name, {}, 3, 0)
    return Dense(detector), (torch.randn(2, 3, 64, 96),)


CASES = {
    case.name: case
    for case in [
        *(
            Case(name, partial(upsampler, name), tuple(FORMS) if name in SAMPLING else BOTH)
            for name in UPSAMPLERS
        ),
        Case("all of these in one model", stack, BOTH),
        Case("SegFormer-B0, dysample", segformer),
        Case("Faster R-CNN up to its boxes, dysample", partial(faster_rcnn, "dysample"), BOTH),
        Case("Faster R-CNN up to its boxes, carafe", partial(faster_rcnn, "carafe"), ("float32",)),
    ]
}


def label(case: Case) -> str:
    """First cell of a row."""
    return f"`{case.name}`" if case.name in UPSAMPLERS else case.name


def export_row(case: Case) -> str:
    """Largest errors over the largest value, by form."""
    cells = dict.fromkeys(FORMS, "")
    with tempfile.TemporaryDirectory() as folder:
        for form in case.forms:
            runs = case.export(form, Path(folder) / "model.onnx").comparisons
            worst = max(run.error for run in runs)
            cells[form] = f"{worst:.0e}" if worst else "0"
    return f"| {' | '.join([label(case), *cells.values()])} |"


def export_table(names: Collection[str], before: str) -> str:
    """Rows of these models anew, the others as they were; `docs/tables.py` writes it into the page.

    Args:
        names: of `CASES`.
        before: the table on the page.
    """
    rows = {line.split("|")[1].strip(): line for line in before.splitlines() if line}
    lines = [f"| model | {' | '.join(FORMS)} |", f"|---|{'---:|' * len(FORMS)}"]
    for case in CASES.values():
        not_run = [NOT_RUN if form in case.forms else "" for form in FORMS]
        old = rows.get(label(case), f"| {' | '.join([label(case), *not_run])} |")
        lines.append(export_row(case) if case.name in names else old)
    return "\n".join(lines)


def opset_row(name: str, folder: Path) -> str:
    """The opsets below 18 at which an upsampler is exported, with gathers and with GridSample."""
    up, args = upsampler(name)
    args = tuple(x.float() for x in args)
    cells = []
    for sampler in ("gather", "grid_sample") if name in SAMPLING else ("gather",):
        works = []
        for opset in OPSETS:
            try:
                export_onnx(up.float(), args, folder / "up.onnx", opset=opset, sampler=sampler)
            except (ExportError, ValueError):
                continue
            works.append(opset)
        assert works == list(range(works[0], OPSETS.stop)), (name, sampler, works)
        cells.append(f"{works[0]} to {works[-1]}")
    return f"| {' | '.join([f'`{name}`', *cells, ''][:3])} |"


def opset_table(_: str = "") -> str:
    """Rows of all upsamplers; `docs/tables.py` writes it into the page."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [opset_row(name, Path(folder)) for name in UPSAMPLERS]
    return "\n".join(["| model | gathers | GridSample |", "|---|---|---|", *rows])

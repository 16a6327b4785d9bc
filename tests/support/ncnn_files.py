"""Models in ncnn, as docs/export/ncnn_rknn.md says, and the table of how far off they are."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Collection
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from dysample.export import export_onnx
from support.exports import NOT_RUN, UPSAMPLERS, Stack
from support.upsamplers import features, guide_for, lively

FORMS = {"twice the size": (12, 18), "an odd size": (11, 15)}
"""Columns of the table: to which size features of 6x9 are brought; the image of the last row is
as large."""
ALL = "all of these in one model"
MODELS = [*UPSAMPLERS, ALL]


class ToSize(nn.Module):
    """An upsampler to a size of its own."""

    def __init__(self, up: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.up, self.size = up, size

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.up(x, size=self.size)
        return out


def model_and_inputs(name: str, form: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """One of `MODELS` in float32, and one image for it."""
    torch.manual_seed(0)
    size = FORMS[form]
    if name == ALL:
        return Stack().eval(), (torch.randn(1, 3, *size),)
    up, x = lively(name).float(), features(1, 6, 9).float()
    guide = guide_for(up, x, size)
    if guide is not None:
        return up.eval(), (x, guide)
    return (up if form == "twice the size" else ToSize(up, size)).eval(), (x,)


def convert(model: nn.Module, inputs: tuple[Tensor, ...], folder: Path, **options: str) -> str:
    """Write model.ncnn.param and model.ncnn.bin into a folder; what pnnx prints."""
    import pnnx

    export_onnx(model, inputs, folder / "model.onnx", dynamic=(), **options)
    shapes = ",".join(str(list(x.shape)).replace(" ", "") for x in inputs)
    command = [pnnx.EXEC_PATH, "model.onnx", f"inputshape={shapes}", "fp16=0"]
    return subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def run(folder: Path, inputs: tuple[Tensor, ...]) -> Tensor:
    """The output (1, C, H, W) of the files in a folder.

    Raises:
        ValueError: ncnn does not know a layer.
    """
    import ncnn

    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(str(folder / "model.ncnn.param")) != 0:
        raise ValueError(f"`folder` (={folder}) must hold layers that ncnn knows")
    assert net.load_model(str(folder / "model.ncnn.bin")) == 0
    extractor = net.create_extractor()
    for number, x in enumerate(inputs):
        extractor.input(f"in{number}", ncnn.Mat(x[0].numpy()).clone())
    status, out = extractor.extract("out0")
    assert status == 0
    return torch.tensor(out.numpy()).unsqueeze(0)


def error(name: str, form: str) -> float:
    """Largest error of one of `MODELS` in ncnn, over the largest value."""
    model, inputs = model_and_inputs(name, form)
    with tempfile.TemporaryDirectory() as folder:
        convert(model, inputs, Path(folder))
        found = run(Path(folder), inputs)
    with torch.no_grad():
        wanted = model(*inputs)
    assert found.shape == wanted.shape, (name, form, found.shape, wanted.shape)
    return float((found - wanted).abs().max() / wanted.abs().max())


def label(name: str) -> str:
    """First cell of a row."""
    return name if name == ALL else f"`{name}`"


def ncnn_table(names: Collection[str], before: str) -> str:
    """Rows of these models anew, the others as they were, see `exports.export_table`."""
    rows = {line.split("|")[1].strip(): line for line in before.splitlines() if line}
    lines = [f"| model | {' | '.join(FORMS)} |", f"|---|{'---:|' * len(FORMS)}"]
    for name in MODELS:
        if name in names:
            errors = map(partial(error, name), FORMS)
            cells = [f"{worst:.0e}" if worst else "0" for worst in errors]
            lines.append(f"| {' | '.join([label(name), *cells])} |")
        else:
            lines.append(
                rows.get(label(name), f"| {' | '.join([label(name), *[NOT_RUN] * len(FORMS)])} |")
            )
    return "\n".join(lines)

"""Training by ultralytics' own trainer with upsamplers in its models, and the table of what lasts.

Part of `make foreign-hosts`: eight drawn images, one epoch, an interruption, a second epoch.
"""

from __future__ import annotations

import copy
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import ultralytics
import yaml
from page import FailedError, line, put, tried
from PIL import Image, ImageDraw
from torch import nn
from trial import as_error, upsamplers
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn import tasks

import dysample

SIDE = 96
TABLE = "ultralytics"
COLUMNS = ("route", "one epoch", "resumed", "validated", "ONNX")
OPTIONS: dict[str, Any] = {
    "data": "data.yaml",
    "imgsz": SIDE,
    "batch": 4,
    "device": "cpu",
    "workers": 0,
    "plots": False,
    "nbs": 4,  # a step a batch, at the full rate from the first one on
    "warmup_epochs": 0,
    "verbose": False,
}


class Trainer(DetectionTrainer):
    """As the page shows it."""

    def get_model(self, cfg=None, weights=None, verbose=True):
        model = super().get_model(cfg, verbose=verbose)
        images = torch.rand(1, self.data["channels"], 64, 64)
        model, _ = dysample.replace_upsamplers(
            model, "dysample", example_inputs=images, start="nearest"
        )
        if weights:
            model.load(weights)
        return model


class InterruptedRunError(Exception):
    """A run that was killed after its first epoch."""


@dataclass
class Route:
    """A way to put upsamplers into what the trainer trains.

    Args:
        name: of the row.
        make: the model to start from.
        trainer: in place of ultralytics' own.
    """

    name: str
    make: Callable[[], YOLO]
    trainer: type[DetectionTrainer] | None = None

    def row(self) -> list[str]:
        folder = Path("runs") / self.name / "weights"
        cells = []
        for step in (self.first_epoch, self.resumed, self.validated, self.onnx):
            cells.append(tried(partial(step, folder)))
            if cells[-1].startswith("no"):
                break
        return [self.name, *cells, *[""] * (len(COLUMNS) - 1 - len(cells))]

    def first_epoch(self, folder: Path) -> str:
        """Train for an epoch of two; what the checkpoint holds then."""
        model = self.make()
        model.add_callback("on_model_save", interrupt)
        try:
            project = folder.parent.parent.absolute()
            model.train(epochs=2, project=project, name=self.name, trainer=self.trainer, **OPTIONS)
        except InterruptedRunError:
            return trained(YOLO(folder / "last.pt").model)
        raise FailedError("trained on")

    def resumed(self, folder: Path) -> str:
        """Train for the second epoch, from where the first one ended."""
        model = YOLO(folder / "last.pt")
        last = copy.deepcopy(model.model).float().state_dict()
        begun: list[bool] = []
        model.add_callback("on_train_start", lambda trainer: begun.append(same(trainer, last)))
        model.train(resume=True, trainer=self.trainer)
        if begun != [True]:
            raise FailedError("did not go on where it was")
        return trained(YOLO(folder / "best.pt").model)

    def validated(self, folder: Path) -> str:
        YOLO(folder / "best.pt").val(**{**OPTIONS, "name": "val"})
        return "yes"

    def onnx(self, folder: Path) -> str:
        """Largest difference of the exported file, over the largest value."""
        model = YOLO(folder / "best.pt")
        file = model.export(format="onnx", imgsz=SIDE, simplify=False)
        images = torch.rand(1, 3, SIDE, SIDE)
        with torch.no_grad():
            wanted = YOLO(folder / "best.pt").model.float().eval()(images)[0].numpy()
        (found,) = onnxruntime.InferenceSession(file).run(None, {"images": images.numpy()})
        return as_error(np.abs(found - wanted).max() / np.abs(wanted).max())


def interrupt(trainer: Any) -> None:
    if trainer.epoch == 0:
        raise InterruptedRunError


def same(trainer: Any, state: dict[str, torch.Tensor]) -> bool:
    """Whether a trainer begins its second epoch, with the upsamplers of a checkpoint."""
    begun = trainer.model.state_dict()
    return trainer.start_epoch == 1 and all(
        torch.equal(begun[f"{name}.offset.weight"], state[f"{name}.offset.weight"])
        for name, _ in upsamplers(trainer.model)
    )


def trained(model: nn.Module) -> str:
    """How many upsamplers a model from a checkpoint has, if they have learned."""
    ups = upsamplers(model)
    at_rest = [name for name, up in ups if not up.offset.bias.any()]
    if at_rest:
        raise FailedError(f"{at_rest} have not learned")
    if not ups:
        raise FailedError("rebuilt without them")
    return f"{len(ups)} upsamplers"


def rows_of_yaml() -> YOLO:
    """The YAML of yolo11 with DySample for nn.Upsample, and the weights of a model without it."""
    tasks.DySample = dysample.DySample
    given = Path(ultralytics.__file__).parent / "cfg" / "models" / "11" / "yolo11.yaml"
    model = yaml.safe_load(given.read_text())
    for row in model["head"]:
        if row[2] == "nn.Upsample":
            row[2:] = ["DySample", ["c2"]]
    Path("yolo11n-dysample.yaml").write_text(yaml.safe_dump(model))
    return YOLO("yolo11n-dysample.yaml").load("plain.pt")


def surgery_alone() -> YOLO:
    yolo = YOLO("plain.pt")
    yolo.model, _ = dysample.replace_upsamplers(
        yolo.model, "dysample", example_inputs=torch.rand(1, 3, 64, 64), start="nearest"
    )
    return yolo


def draw_images() -> None:
    """Eight squares of two classes on noise, as ultralytics reads them."""
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        Path("data", kind).mkdir(parents=True)
    for number in range(8):
        image = Image.fromarray(rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8))
        x, y = (int(n) for n in rng.integers(20, SIDE - 20, 2))
        ImageDraw.Draw(image).rectangle(
            (x - 15, y - 15, x + 15, y + 15), (255, 255 * (number % 2), 0)
        )
        image.save(f"data/images/{number}.png")
        box = " ".join(str(n / SIDE) for n in (x, y, 30, 30))
        Path(f"data/labels/{number}.txt").write_text(f"{number % 2} {box}\n")
    names = {0: "red", 1: "yellow"}
    data = {"path": str(Path("data").absolute()), "train": "images", "val": "images"}
    Path("data.yaml").write_text(yaml.safe_dump({**data, "names": names}))


ROUTES = [
    Route("a row of the YAML", rows_of_yaml),
    Route("a trainer that replaces the steps", lambda: YOLO("plain.pt"), Trainer),
    Route("surgery, then train()", surgery_alone),
]


def main() -> None:
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        draw_images()
        YOLO("yolo11n.yaml").save("plain.pt")
        rows = []
        for route in ROUTES:
            print(route.name, flush=True)
            rows.append(line(route.row()))
            print(rows[-1], flush=True)
    put(TABLE, COLUMNS, rows)


if __name__ == "__main__":
    main()

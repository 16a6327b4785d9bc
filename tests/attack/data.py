"""Data sets with a wrong file: images, masks, those of COCO; looked at, and their samples read."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from attack.children import Child, verb
from attack.damage import as_json, spoiled
from attack.kinds import Kind, Made, Outcome, differences, held
from attack.limits import of_input
from support import layouts
from support.png import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, write_raw_png

_CHANNELS = {GREY: 1, PALETTE: 1, RGB: 3, GREY_ALPHA: 2, RGBA: 4}
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "HSV", "LAB")
_FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "ICO", "EPS", "TGA", "PDF", "PCX")


def _looked_at(data: str, folder: Path, check: Callable[[], None]) -> Outcome:
    """Look at a data set; check what is read where nothing is wrong. Nothing is ever written."""
    before = held(folder)

    def work() -> None:
        try:
            verb("data", data)()
        except SystemExit as stopped:
            if stopped.code not in (None, 0):
                raise
        check()

    ended = Child(work, folder, of_input()).wait()
    faults = ended.faults(0, 1, 2)
    if ended.code == 1 and "cannot be used" not in ended.stdout:
        faults.append(f"exit code 1 without a word: {ended.stdout[-500:]!r}")
    return Outcome(1, faults + differences(before, held(folder)))


def _image(rng: Random, folder: Path, made: Made) -> Outcome:
    layouts.folders(folder)
    path = folder / "images" / "train" / rng.choice(("in png.png", "in jpg.jpg"))
    content = path.read_bytes() if rng.random() < 0.5 else _other_image(rng)
    path.write_bytes(spoiled(rng, content) if rng.random() < 0.7 else content)
    if rng.random() < 0.2:
        path.rename(
            path.with_suffix(rng.choice((".jpeg", ".PNG", ".bmp", ".webp", ".tif", ".eps")))
        )
    return _looked_at(f"folders:{folder}", folder, lambda: _check_images(f"folders:{folder}"))


def _other_image(rng: Random) -> bytes:
    """One that a camera, a scanner or a joker might have made."""
    while True:
        size = rng.choice(((8, 6), (8, 6), (1, 1), (6, 8), (300, 2), (1, 700)))
        image = Image.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1]))
        options: dict[str, Any] = {}
        if rng.random() < 0.2:
            exif = Image.Exif()
            exif[0x0112] = rng.choice((0, 1, 3, 6, 8, 9))
            options["exif"] = exif
        file = io.BytesIO()
        try:
            image.convert(rng.choice(_MODES)).save(file, rng.choice(_FORMATS), **options)
        except (OSError, ValueError, KeyError):  # modes that a format does not have
            continue
        return file.getvalue()


def _check_images(data: str) -> None:
    from dysample.workbench.data.catalog import open_data

    for image, label in open_data(data, "train"):
        assert image.dtype.is_floating_point or image.dtype == torch.uint8, image.dtype
        assert image.shape[0] == 3, image.shape
        assert image.shape[1:] == label.shape, (image.shape, label.shape)


def _mask(rng: Random, folder: Path, made: Made) -> Outcome:
    layouts.folders(folder)
    path = folder / "masks" / "train" / "in png.png"
    if rng.random() < 0.4:
        path.write_bytes(spoiled(rng, path.read_bytes()))
        return _looked_at(f"folders:{folder}", folder, lambda: None)
    kind = rng.choice((GREY, GREY, PALETTE, RGB, GREY_ALPHA, RGBA))
    bits = rng.choice({GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}.get(kind, (8, 16)))
    height, width = rng.choice(((6, 8), (6, 8), (6, 8), (8, 6), (3, 4)))
    allowed = [value for value in (0, 1, 255, rng.randrange(2**bits)) if value < 2**bits]
    if rng.random() < 0.6:
        allowed = allowed[:2]
    values = np.array(rng.choices(allowed, k=height * width * _CHANNELS[kind]))
    values = values.reshape(height, width, -1)
    write_raw_png(path, values, bits, kind, interlaced=rng.random() < 0.3)

    def check() -> None:
        from dysample.workbench.data.catalog import open_data

        data = open_data(f"folders:{folder}", "train")
        (place,) = [i for i, item in enumerate(data.items) if item.image.stem == "in png"]
        expected = values[..., 0]
        assert kind in (GREY, PALETTE), "colours were taken for classes"
        assert np.isin(expected, (0, 1, 255)).all(), "a value that is no class was read"
        assert (np.asarray(data[place][1]) == expected).all(), "other classes than the file's"

    return _looked_at(f"folders:{folder}", folder, check)


def _coco(rng: Random, folder: Path, made: Made) -> Outcome:
    name = rng.choice(("coco_detection", "coco_instance"))
    return _annotated(rng, name, "instances_val2017.json", folder)


def _panoptic(rng: Random, folder: Path, made: Made) -> Outcome:
    return _annotated(rng, "coco_panoptic", "panoptic_val2017.json", folder)


def _annotated(rng: Random, name: str, file: str, folder: Path) -> Outcome:
    layouts.LAYOUTS[name](folder)
    path = folder / "annotations" / file
    path.write_bytes(as_json(rng, json.loads(path.read_text())))

    def check() -> None:
        from dysample.workbench.data.catalog import open_data

        data = open_data(f"{name}:{folder}", "val")
        for image, target in data:
            _check_objects(data.kind, image, target)

    return _looked_at(f"{name}:{folder}", folder, check)


def _check_objects(kind: str, image: torch.Tensor, target: Any) -> None:
    assert isinstance(target["image_id"], int)
    assert set(target["iscrowd"].tolist()) <= {0, 1}
    if kind == "panoptic":
        assert target["segments"].shape == image.shape[1:]
        return
    assert target["boxes"].isfinite().all(), target["boxes"]
    assert (target["boxes"][:, 2:] > target["boxes"][:, :2]).all(), target["boxes"]
    assert target["area"].isfinite().all(), target["area"]
    assert (target["area"] >= 0).all(), target["area"]
    if kind == "instance":
        assert target["masks"].shape[1:] == image.shape[1:], target["masks"].shape


KINDS = (
    Kind("image", "bad inputs", 150, _image),
    Kind("mask", "bad inputs", 150, _mask),
    Kind("coco", "bad inputs", 200, _coco),
    Kind("panoptic", "bad inputs", 150, _panoptic),
)

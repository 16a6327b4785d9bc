"""COCO objects: boxes alone, or boxes and masks.

Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014. Any data set in COCO's form can be
read; classes are the categories of its file, in the order of their ids.
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.tv_tensors import BoundingBoxes, Mask

from dysample.workbench.data.coco_json import (
    CocoFile,
    Entry,
    check_stated,
    error_in,
    shown,
    stated_size,
)
from dysample.workbench.data.coco_masks import decode
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.images import Size
from dysample.workbench.data.reader import Notes, Reader, note
from dysample.workbench.data.targets import DetectionTarget, InstanceTarget

_LAYOUT = "{train,val}2017/*.jpg, annotations/instances_{train,val}2017.json"


def open_boxes(folder: Path, split: str) -> DataSet[DetectionTarget]:
    """List every image of the annotation file, with or without objects; no masks are decoded."""
    path = _path(folder, split)
    classes, items, notes = _list(path, folder, split)
    read = partial(_read_boxes, path)
    return DataSet("coco_detection", "detection", split, classes, items, read, notes=notes)


def open_masks(folder: Path, split: str) -> DataSet[InstanceTarget]:
    """List every image of the annotation file, with or without objects."""
    path = _path(folder, split)
    classes, items, notes = _list(path, folder, split, "segmentation")
    read = partial(_read_masks, path)
    return DataSet("coco_instance", "instance", split, classes, items, read, notes=notes)


def _path(folder: Path, split: str) -> Path:
    return folder / "annotations" / f"instances_{split}2017.json"


def _list(path: Path, folder: Path, split: str, *masks: str) -> tuple[Classes, list[Item], Notes]:
    """List classes and items, with boxes and, for the keys `masks`, masks as packed text."""
    file = CocoFile(path)
    annotations = file.annotations()
    items: list[Item] = []
    flat: list[str] = []
    for image in file.images:
        objects = []
        for entry in annotations[image["id"]]:
            where = _where(entry.get("id"), image["file_name"])
            label = file.category(entry, where) + 1
            file.check(entry, where, ("bbox", *masks), ("area", "iscrowd"))
            # COCO itself has a few boxes without width or height, which nothing can detect.
            if min(entry["bbox"][2:]) == 0:
                flat.append(f"annotation {shown(entry.get('id'))}")
                continue
            kept = {key: entry.get(key) for key in ("id", "bbox", "area", *masks)}
            objects.append({"label": label, "iscrowd": int(entry.get("iscrowd", 0)), **kept})
        # Text and not objects: a data loader's processes would each copy hundreds of thousands of
        # dictionaries, whose reference counts they touch.
        try:
            packed = json.dumps(objects).encode()
        except RecursionError as error:
            raise file.error(
                f"an annotation of {image['file_name']} is nested too deeply"
            ) from error
        picture = folder / f"{split}2017" / image["file_name"]
        items.append(Item(picture, packed, image["id"], stated_size(image)))
    names = tuple(entry["name"] for entry in file.categories)
    notes = note(flat, path, "boxes without width or height")
    return Classes(names, frozenset(range(len(names)))), items, notes


def _where(number: Any, image: str) -> str:
    return f"annotation {shown(number)} of image {image}"


def _read_boxes(path: Path, item: Item, size: Size) -> DetectionTarget:
    objects = json.loads(item.annotation)
    # Without a mask the box is what is known of an object's size.
    areas = [entry["bbox"][2] * entry["bbox"][3] for entry in objects]
    return _boxes(path, item, objects, areas, size)


def _read_masks(path: Path, item: Item, size: Size) -> InstanceTarget:
    check_stated(path, item, size)
    objects = json.loads(item.annotation)
    height, width = size
    try:
        masks = np.zeros((len(objects), *size), np.uint8)
        for mask, entry in zip(masks, objects):
            mask[:] = _decode(path, item, entry, size)
    except MemoryError as error:
        raise ValueError(
            f"image {item.image} cannot be read: there is not enough memory for {len(objects)}"
            f" masks of {width}x{height}"
        ) from error
    areas = [int(np.count_nonzero(mask)) for mask in masks]
    boxes = _boxes(path, item, objects, areas, size)
    return InstanceTarget(**boxes, masks=Mask(torch.from_numpy(masks)))


def _decode(path: Path, item: Item, entry: Entry, size: Size) -> Any:
    try:
        return decode(entry["segmentation"], size)
    except ValueError as error:
        where = _where(entry["id"], item.image.name)
        value = shown(entry["segmentation"])
        raise error_in(path, f"{where}: `segmentation` (={value}) {error}") from error


def _boxes(
    path: Path, item: Item, objects: list[Entry], areas: Sequence[float], size: Size
) -> DetectionTarget:
    """The boxes; objects without an `area` have those of the list."""
    check_stated(path, item, size)
    height, width = size
    for entry in objects:
        x, y, w, h = entry["bbox"]
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            raise error_in(
                path,
                f"{_where(entry['id'], item.image.name)}: `bbox` (={shown(entry['bbox'])}) must lie"
                f" in the image, {width}x{height}, at least in part",
            )
    boxes = torch.tensor([entry["bbox"] for entry in objects], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    found = [
        area if entry["area"] is None else entry["area"] for entry, area in zip(objects, areas)
    ]
    return DetectionTarget(
        boxes=BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        labels=torch.tensor([entry["label"] for entry in objects], dtype=torch.int64),
        iscrowd=torch.tensor([entry["iscrowd"] for entry in objects], dtype=torch.int64),
        area=torch.tensor(found, dtype=torch.float32),
        image_id=item.image_id,
    )


DETECTION = Reader("coco_detection", "detection", _LAYOUT, open_boxes)
INSTANCE = Reader("coco_instance", "instance", _LAYOUT, open_masks)

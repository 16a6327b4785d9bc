"""COCO objects: boxes alone, or boxes and masks.

Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014. Any data set in COCO's form can be
read; classes are the categories of its file, in the order of their ids.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faster_coco_eval.core import mask as rle
from torchvision.tv_tensors import BoundingBoxes, Mask

from dysample.workbench.data.coco_json import CocoFile
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.reader import Reader
from dysample.workbench.data.targets import DetectionTarget, InstanceTarget

_LAYOUT = "{train,val}2017/*.jpg, annotations/instances_{train,val}2017.json"


def open_boxes(folder: Path, split: str) -> DataSet[DetectionTarget]:
    """Every image of the annotation file, also those without an object; no masks are decoded."""
    classes, items = _list(folder, split, "bbox", "area", "category_id")
    return DataSet("coco_detection", "detection", split, classes, items, _read_boxes)


def open_masks(folder: Path, split: str) -> DataSet[InstanceTarget]:
    """Every image of the annotation file, also those without an object."""
    classes, items = _list(folder, split, "bbox", "area", "category_id", "segmentation")
    return DataSet("coco_instance", "instance", split, classes, items, _read_masks)


def _list(folder: Path, split: str, *needed: str) -> tuple[Classes, list[Item]]:
    file = CocoFile(folder / "annotations" / f"instances_{split}2017.json")
    annotations = file.annotations(*needed)
    items = []
    for image in file.images:
        objects = []
        for entry in annotations[image["id"]]:
            where = f"annotation {entry.get('id')} of image {image['file_name']}"
            label = file.category(entry, where) + 1
            box, area = entry["bbox"], entry["area"]
            if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
                raise file.error(f"{where}: `bbox` (={box!r}) must be four numbers")
            if not _is_number(area):
                raise file.error(f"{where}: `area` (={area!r}) must be a number")
            # COCO itself has a few boxes without width or height, which nothing can detect.
            if min(box[2:]) > 0:
                objects.append({"label": label, **{key: entry[key] for key in needed}})
                objects[-1]["iscrowd"] = entry.get("iscrowd", 0)
        # Text and not objects: a data loader's processes would each copy hundreds of thousands of
        # dictionaries, whose reference counts they touch.
        packed = json.dumps(objects).encode()
        items.append(Item(folder / f"{split}2017" / image["file_name"], packed, image["id"]))
    names = tuple(entry["name"] for entry in file.categories)
    return Classes(names, frozenset(range(len(names)))), items


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _read_boxes(item: Item, size: tuple[int, int]) -> DetectionTarget:
    return _boxes(item, json.loads(item.annotation), size)


def _read_masks(item: Item, size: tuple[int, int]) -> InstanceTarget:
    objects = json.loads(item.annotation)
    masks = np.zeros((len(objects), *size), np.uint8)
    for mask, entry in zip(masks, objects):
        try:
            mask[:] = _decode(entry["segmentation"], size)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise ValueError(f"a mask of image {item.image} cannot be used: {error}") from error
    return InstanceTarget(**_boxes(item, objects, size), masks=Mask(torch.from_numpy(masks)))


def _boxes(item: Item, objects: list[dict[str, Any]], size: tuple[int, int]) -> DetectionTarget:
    boxes = torch.tensor([entry["bbox"] for entry in objects], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return DetectionTarget(
        boxes=BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        labels=torch.tensor([entry["label"] for entry in objects], dtype=torch.int64),
        iscrowd=torch.tensor([entry["iscrowd"] for entry in objects], dtype=torch.int64),
        area=torch.tensor([entry["area"] for entry in objects], dtype=torch.float32),
        image_id=item.image_id,
    )


def _decode(segmentation: Any, size: tuple[int, int]) -> Any:
    """A mask (H, W) uint8 of polygons, or of run lengths, packed or not."""
    height, width = size
    if isinstance(segmentation, dict):
        if tuple(segmentation["size"]) != size:
            found = "x".join(map(str, segmentation["size"][::-1]))
            raise ValueError(f"it must be of the image's size {width}x{height}, but is {found}")
        packed = isinstance(segmentation["counts"], str)
        return rle.decode(segmentation if packed else rle.frPyObjects(segmentation, height, width))
    if not segmentation:
        raise ValueError("it has no points; `coco_detection` reads boxes alone")
    # The library would take four numbers for a box.
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    if not polygons:
        return 0
    return rle.decode(rle.merge(rle.frPyObjects(polygons, height, width)))


DETECTION = Reader("coco_detection", "detection", _LAYOUT, open_boxes)
INSTANCE = Reader("coco_instance", "instance", _LAYOUT, open_masks)

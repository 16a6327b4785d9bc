"""COCO panoptic: every pixel in a segment, of a thing or of stuff.

Kirillov et al.: Panoptic Segmentation, CVPR 2019. Any data set in this form can be read; classes
are the categories of its file, in the order of their ids.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torchvision.tv_tensors import Mask

from dysample.workbench.data.coco_json import CocoFile
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.images import read_colours
from dysample.workbench.data.reader import Reader
from dysample.workbench.data.targets import VOID, PanopticTarget

NAME = "coco_panoptic"


def open_split(folder: Path, split: str) -> DataSet[PanopticTarget]:
    """Every image that the annotation file has segments of."""
    maps = folder / "annotations" / f"panoptic_{split}2017"
    file = CocoFile(maps.with_suffix(".json"))
    for place, described in enumerate(file.categories):
        file.require(described, ("isthing",), f"categories[{place}]")
    classes = Classes(
        tuple(entry["name"] for entry in file.categories),
        frozenset(i for i, entry in enumerate(file.categories) if entry["isthing"]),
        tuple(tuple(entry["color"]) for entry in file.categories)
        if all("color" in entry for entry in file.categories)
        else None,
    )
    annotations = file.annotations("file_name", "segments_info")
    items = []
    for image in file.images:
        for entry in annotations[image["id"]]:
            path = maps / entry["file_name"]
            segments = []
            for segment in entry["segments_info"]:
                where = f"a segment of {entry['file_name']}"
                file.require(segment, ("id", "category_id"), where)
                category = file.category(segment, where)
                thing = category in classes.things
                segments.append((segment["id"], category, thing, segment.get("iscrowd", 0)))
            # Text and not objects: see the reader of COCO's objects.
            packed = json.dumps(sorted(segments)).encode()
            picture = folder / f"{split}2017" / image["file_name"]
            items.append(Item(picture, (path, packed), image["id"]))
    return DataSet(NAME, "panoptic", split, classes, items, _read_target)


def _read_target(item: Item, size: tuple[int, int]) -> PanopticTarget:
    """Colours of the map are ids, red + 256 green + 256^2 blue, and 0 is no segment."""
    path, packed = item.annotation
    segments = json.loads(packed)
    ids = np.array([0, *(segment[0] for segment in segments)], np.int64)
    red, green, blue = np.moveaxis(read_colours(path, size).astype(np.int64), -1, 0)
    found = red + 256 * green + 256**2 * blue
    place = np.searchsorted(ids, found).clip(max=len(ids) - 1)
    if (ids[place] != found).any():
        wrong = found[ids[place] != found].min()
        raise ValueError(f"annotation {path} holds segment {wrong}, which is not in the JSON file")
    absent = np.setdiff1d(ids[1:], found)
    if len(absent):
        raise ValueError(f"annotation {path} must hold segment {absent[0]} of the JSON file")
    table = torch.tensor(segments, dtype=torch.int64).reshape(-1, 4)
    return PanopticTarget(
        segments=Mask(torch.from_numpy(np.where(place == 0, VOID, place - 1))),
        categories=table[:, 1],
        isthing=table[:, 2].bool(),
        iscrowd=table[:, 3],
        image_id=item.image_id,
    )


READER = Reader(
    NAME,
    "panoptic",
    "{train,val}2017/*.jpg, annotations/panoptic_{train,val}2017.json and /*.png",
    open_split,
)

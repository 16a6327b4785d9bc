"""COCO panoptic: every pixel in a segment, of a thing or of stuff.

Kirillov et al.: Panoptic Segmentation, CVPR 2019. Any data set in this form can be read; classes
are the categories of its file, in the order of their ids.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import read_colours
from dysample.workbench.data.coco_json import CocoFile, Entry, check_stated, stated_size
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.images import Size
from dysample.workbench.data.reader import Reader, note
from dysample.workbench.data.targets import VOID, PanopticTarget

NAME = "coco_panoptic"


def open_split(folder: Path, split: str) -> DataSet[PanopticTarget]:
    """Every image that the annotation file has segments of."""
    maps = folder / "annotations" / f"panoptic_{split}2017"
    file = CocoFile(maps.with_suffix(".json"))
    for place, described in enumerate(file.categories):
        file.check(described, f"categories[{place}]", ("isthing",))
    for place, entry in enumerate(file.entries):
        file.check(entry, f"annotations[{place}]", ("file_name", "segments_info"))
    file.once("annotations", file.entries, ("image_id", "file_name"))
    things = frozenset(i for i, entry in enumerate(file.categories) if entry["isthing"])
    annotations = file.annotations()
    items: list[Item] = []
    bare: list[str] = []
    for image in file.images:
        picture = folder / f"{split}2017" / image["file_name"]
        for entry in annotations[image["id"]]:
            # Text and not objects: see the reader of COCO's objects.
            packed = json.dumps(_segments(file, entry, things)).encode()
            annotation = (maps / entry["file_name"], packed)
            items.append(Item(picture, annotation, image["id"], stated_size(image)))
        if not annotations[image["id"]]:
            bare.append(image["file_name"])
    classes = Classes(
        tuple(entry["name"] for entry in file.categories),
        things,
        tuple(tuple(entry["color"]) for entry in file.categories)
        if all("color" in entry for entry in file.categories)
        else None,
    )
    read = partial(_read_target, file.path)
    notes = note(bare, file.path, "images without segments")
    return DataSet(NAME, "panoptic", split, classes, items, read, notes=notes)


def _segments(
    file: CocoFile, entry: Entry, things: frozenset[int]
) -> list[tuple[int, int, bool, int]]:
    """Id, category, whether it is a thing and whether it is a crowd, of each, by id."""
    name = f"segments_info of {entry['file_name']}"
    segments = []
    for place, segment in enumerate(entry["segments_info"]):
        where = f"{name}[{place}]"
        category = file.category(segment, where)
        file.check(segment, where, ("id",), ("iscrowd",))
        file.check_value("id", segment["id"], where, "segment id")
        crowd = int(segment.get("iscrowd", 0))
        segments.append((segment["id"], category, category in things, crowd))
    file.once(name, entry["segments_info"], ("id",))
    return sorted(segments)


def _read_target(source: Path, item: Item, size: Size) -> PanopticTarget:
    """Colours of the map are ids, red + 256 green + 256^2 blue, and 0 is no segment."""
    check_stated(source, item, size)
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

"""Tiny copies of the layouts on disk, each with one or two images a split."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 6, 8


def write_image(path: Path, height: int = HEIGHT, width: int = WIDTH) -> None:
    """Red grows to the right and green downwards, so that places can be recognised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 250 // width, y * 250 // height, 0 * x], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(path, **({} if path.suffix == ".png" else {"quality": 95}))


def write_png(path: Path, values: Any, dtype: type = np.uint8, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values).astype(dtype))
    if palette:
        image.putpalette([(7 * i) % 256 for i in range(768)])
    image.save(path)


def rows(*values: int) -> np.ndarray:
    """An array whose rows, repeated to the height, hold one value each."""
    column = np.repeat(values, HEIGHT // len(values))
    return column[:, None].repeat(WIDTH, axis=1)


def ade20k(folder: Path) -> Path:
    for part, name in (("training", "train"), ("validation", "val")):
        for i in (1, 2):
            stem = f"ADE_{name}_{i:08d}"
            write_image(folder / "images" / part / f"{stem}.jpg")
            write_png(folder / "annotations" / part / f"{stem}.png", rows(0, 1, 150))
    names = ["wall", "building, edifice", *(f"thing {i}, other name" for i in range(2, 150))]
    lines = [f"{i} \t0.1\t9\t3\t{name} " for i, name in enumerate(names, 1)]
    (folder / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines]))
    return folder


def camvid(folder: Path) -> Path:
    for split in ("train", "val"):
        write_image(folder / split / "a.png")
        write_png(folder / f"{split}annot" / "a.png", rows(0, 10, 11))
    return folder


def cityscapes(folder: Path) -> Path:
    for split, cities in (("train", ("aachen", "bochum")), ("val", ("munster",))):
        for city in cities:
            stem = f"{city}_000000_000019"
            write_image(folder / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
            # Unlabelled, road, bicycle
            label = folder / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
            write_png(label, rows(0, 7, 33))
    return folder


def voc(folder: Path) -> Path:
    base = folder / "VOCdevkit" / "VOC2012"
    listed = base / "ImageSets" / "Segmentation"
    listed.mkdir(parents=True)
    (listed / "train.txt").write_text("2007_000032\n2007_000039\n")
    (listed / "val.txt").write_text("2007_000033\n")
    for stem in ("2007_000032", "2007_000033", "2007_000039", "2007_999999"):
        write_image(base / "JPEGImages" / f"{stem}.jpg")
        mask = base / "SegmentationClass" / f"{stem}.png"
        write_png(mask, rows(0, 15, 255), palette=True)
    return folder


def folders(folder: Path) -> Path:
    for split in ("train", "val"):
        for suffix in ("jpg", "png"):
            write_image(folder / "images" / split / f"in {suffix}.{suffix}")
            write_png(folder / "masks" / split / f"in {suffix}.png", rows(0, 1, 255))
    (folder / "classes.txt").write_text("ground\nriver bank\n")
    return folder


def binary(folder: Path) -> Path:
    for split in ("train", "val"):
        write_image(folder / "images" / split / "a.jpg")
        write_png(folder / "masks" / split / "a.png", rows(0, 255))
    (folder / "classes.txt").write_text("ground\ncrack\n")
    return folder


def folders_depth(folder: Path) -> Path:
    """Fifths of a millimetre, as in TUM's sequences."""
    for split in ("train", "val"):
        for suffix in ("jpg", "png"):
            write_image(folder / "images" / split / f"in {suffix}.{suffix}")
            write_png(folder / "depths" / split / f"in {suffix}.png", rows(0, 5000, 7), np.uint16)
    (folder / "depth_unit.txt").write_text("0.0002\n")
    return folder


def folders_instance(folder: Path) -> Path:
    """Objects 1 and 7, or 1 and 300 in 16 bits, in columns 1-2 and 4-6 of rows 2-4."""
    for split in ("train", "val"):
        for number, dtype in ((7, np.uint8), (300, np.uint16)):
            values = np.zeros((HEIGHT, WIDTH), dtype)
            values[2:5, 1:3], values[2:5, 4:7] = 1, number
            write_image(folder / "images" / split / f"{number}.jpg")
            write_png(folder / "instances" / split / f"{number}.png", values, dtype)
    (folder / "classes.txt").write_text("river boat\n")
    return folder


def nyu(folder: Path) -> Path:
    for base, room in (("sync", "kitchen_0001"), ("official_splits/test", "kitchen")):
        write_image(folder / base / room / "rgb_00045.jpg")
        depth = folder / base / room / "sync_depth_00045.png"
        write_png(depth, rows(0, 713, 9999), np.uint16)
    return folder


def kitti(folder: Path) -> Path:
    for split, drive in (
        ("train", "2011_09_26_drive_0001_sync"),
        ("val", "2011_10_03_drive_0047_sync"),
    ):
        for camera in ("image_02", "image_03"):
            write_image(folder / drive[:10] / drive / camera / "data" / "0000000005.png")
            path = folder / split / drive / "proj_depth" / "groundtruth" / camera
            write_png(path / "0000000005.png", rows(0, 256, 20000), np.uint16)
    return folder


def pennfudan(folder: Path) -> Path:
    """Ten images; image i has i % 3 pedestrians, columns 1-2 and 4-6 of rows 2-4."""
    for i in range(10):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, columns in list(enumerate((slice(1, 3), slice(4, 7)), 1))[: i % 3]:
            mask[2:5, columns] = number
        write_image(folder / "PNGImages" / f"Ped{i:05d}.png")
        write_png(folder / "PedMasks" / f"Ped{i:05d}_mask.png", mask, palette=True)
    return folder


CATEGORIES = [
    {"id": 90, "name": "sky", "isthing": 0, "color": [0, 0, 200]},
    {"id": 3, "name": "car", "isthing": 1, "color": [200, 0, 0]},
    {"id": 17, "name": "cat", "isthing": 1, "color": [0, 200, 0]},
]


def coco_objects() -> list[dict[str, Any]]:
    """A polygon, a run-length crowd and a packed mask in image 7; image 9 has none."""
    return [
        {
            "id": 1, "image_id": 7, "category_id": 17, "bbox": [1, 2, 4, 3], "area": 12,
            "iscrowd": 0, "segmentation": [[1, 2, 5, 2, 5, 5, 1, 5]],
        },
        {   # columns 6 and 7 of all rows, column after column
            "id": 2, "image_id": 7, "category_id": 3, "bbox": [6, 0, 2, 6], "area": 12,
            "iscrowd": 1, "segmentation": {"size": [6, 8], "counts": [36, 12]},
        },
        {   # no width, as one or two of COCO's own
            "id": 3, "image_id": 7, "category_id": 3, "bbox": [6, 0, 0, 6], "area": 0,
            "iscrowd": 0, "segmentation": [[6, 0, 6, 6, 6, 0]],
        },
    ]  # fmt: skip


def coco_instances(folder: Path) -> Path:
    for split in ("train", "val"):
        images = [
            {"id": number, "file_name": f"{number:012d}.jpg", "height": HEIGHT, "width": WIDTH}
            for number in (9, 7)
        ]
        for image in images:
            write_image(folder / f"{split}2017" / str(image["file_name"]))
        write_json(
            folder / "annotations" / f"instances_{split}2017.json",
            {"images": images, "categories": CATEGORIES[1:], "annotations": coco_objects()},
        )
    return folder


def coco_panoptic(folder: Path) -> Path:
    """Rows 0-1 void, 2-3 sky, 4-5 a cat on the left and a crowd of cars on the right."""
    sky, cat, cars = 5, 256 * 4 + 1, 65536 * 3
    ids = rows(0, sky, cat)
    ids[4:, 4:] = cars
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
    segments = [
        {"id": cars, "category_id": 3, "iscrowd": 1},
        {"id": sky, "category_id": 90, "iscrowd": 0},
        {"id": cat, "category_id": 17, "iscrowd": 0},
    ]
    for split in ("train", "val"):
        write_image(folder / f"{split}2017" / "000000000007.jpg")
        maps = folder / "annotations" / f"panoptic_{split}2017"
        write_png(maps / "000000000007.png", colours)
        entry = {"image_id": 7, "file_name": "000000000007.png", "segments_info": segments}
        images = [{"id": 7, "file_name": "000000000007.jpg"}]
        content = {"images": images, "categories": CATEGORIES, "annotations": [entry]}
        write_json(maps.with_suffix(".json"), content)
    return folder


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


LAYOUTS = {
    "ade20k": ade20k,
    "binary": binary,
    "camvid": camvid,
    "cityscapes": cityscapes,
    "coco_detection": coco_instances,
    "coco_instance": coco_instances,
    "coco_panoptic": coco_panoptic,
    "folders": folders,
    "folders_depth": folders_depth,
    "folders_instance": folders_instance,
    "kitti": kitti,
    "nyu": nyu,
    "pennfudan": pennfudan,
    "voc": voc,
}

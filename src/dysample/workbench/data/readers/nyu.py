"""NYU Depth v2, indoor rooms, in the layout of the synchronised frames that depth papers train on.

Silberman et al.: Indoor Segmentation and Support Inference from RGBD Images, ECCV 2012. A 16-bit
depth PNG counts millimetres.
"""

from pathlib import Path

import torch
from torchvision.tv_tensors import Mask

from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.images import read_depth
from dysample.workbench.data.reader import Reader, split_folder

NAME = "nyu"
_FOLDERS = {"train": Path("sync"), "val": Path("official_splits/test")}


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Every depth map of every room, with its image."""
    base = split_folder(folder / _FOLDERS[split])
    depths = sorted(base.glob("*/sync_depth_*.png"))
    if not depths:
        raise ValueError(f"folder {base} must hold ROOM/sync_depth_*.png, but has none")
    items = [
        Item(path.with_name(f"rgb_{path.stem.removeprefix('sync_depth_')}.jpg"), path, number)
        for number, path in enumerate(depths)
    ]
    return DataSet(NAME, "depth", split, Classes(), items, _read_target)


def _read_target(item: Item, size: tuple[int, int]) -> Mask:
    return Mask(torch.from_numpy(read_depth(item.annotation, size, 1 / 1000)))


READER = Reader(
    NAME,
    "depth",
    "{sync,official_splits/test}/ROOM/rgb_*.jpg with sync_depth_*.png",
    open_split,
)

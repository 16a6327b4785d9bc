"""KITTI depth prediction, street scenes, as the archives of depth maps and of raw drives unpack.

Uhrig et al.: Sparsity Invariant CNNs, 3DV 2017. A 16-bit depth PNG counts 1/256 m; 0 is unknown,
as most pixels are. Raw drives unpack into one folder a day beside the splits.
"""

from functools import partial
from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import read_depth
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.reader import Reader, note, split_folder, visible

NAME = "kitti"
_ENDINGS = (".png", ".jpg")
_READ = partial(read_depth, unit=1 / 256)


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Every depth map of both colour cameras, with its image.

    The first and last five frames of a drive have no depth map and are skipped.
    """
    base = split_folder(folder / split)
    depths = visible(base.glob("*/proj_depth/groundtruth/image_0[23]/*.png"))
    if not depths:
        raise ValueError(
            f"folder {base} must hold DRIVE/proj_depth/groundtruth/image_02/*.png, but has none"
        )
    items = [Item(_image_path(folder, path), path, number) for number, path in enumerate(depths)]
    used = {item.image.with_suffix("") for item in items}
    blind = [
        str(path.relative_to(folder))
        for place in sorted({item.image.parent for item in items})
        for path in visible(place.glob("*"))
        if path.suffix.lower() in _ENDINGS and path.with_suffix("") not in used
    ]
    notes = note(blind, folder, f"images of {split} without depth")
    return DataSet(NAME, "depth", split, Classes(), items, _READ, notes=notes)


def _image_path(folder: Path, depth: Path) -> Path:
    """2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png below `folder`.

    Or .jpg, into which many convert the raw drives.
    """
    camera, drive = depth.parent.name, depth.parents[3].name
    day = drive.split("_drive_")[0]
    path = folder / day / drive / camera / "data" / depth.name
    as_jpeg = path.with_suffix(".jpg")
    return as_jpeg if as_jpeg.is_file() and not path.is_file() else path


READER = Reader(
    NAME,
    "depth",
    "{train,val}/DRIVE/proj_depth/groundtruth/image_0{2,3}/*.png with"
    " DAY/DRIVE/image_0{2,3}/data/*.png or .jpg",
    open_split,
)

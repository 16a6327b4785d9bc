"""NYU Depth v2, indoor rooms, in the layout of the synchronised frames that depth papers train on.

Silberman et al.: Indoor Segmentation and Support Inference from RGBD Images, ECCV 2012. A 16-bit
depth PNG counts millimetres.
"""

from functools import partial
from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import read_depth
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.reader import MissingSplitError, Reader, note, visible

NAME = "nyu"
_OFFICIAL = Path("official_splits")
_FOLDERS = {"train": (Path("sync"), _OFFICIAL / "train"), "val": (_OFFICIAL / "test",)}
_DEPTH, _IMAGE = "sync_depth_", "rgb_"
_READ = partial(read_depth, unit=1 / 1000)


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Every depth map of every room, with its image; of two training folders the first one."""
    places = [folder / inside for inside in _FOLDERS[split]]
    base = next((place for place in places if place.is_dir()), None)
    if base is None:
        raise MissingSplitError(f"folder {' or '.join(map(str, places))} does not exist")
    depths = visible(base.glob(f"*/{_DEPTH}*.png"))
    if not depths:
        raise ValueError(f"folder {base} must hold ROOM/{_DEPTH}*.png, but has none")
    images = [path.with_name(f"{_IMAGE}{path.stem.removeprefix(_DEPTH)}.jpg") for path in depths]
    items = [Item(image, path, number) for number, (image, path) in enumerate(zip(images, depths))]
    used = set(images)
    blind = [path for path in visible(base.glob(f"*/{_IMAGE}*.jpg")) if path not in used]
    notes = note([str(path.relative_to(base)) for path in blind], base, "images without depth")
    return DataSet(NAME, "depth", split, Classes(), items, _READ, notes=notes)


READER = Reader(
    NAME,
    "depth",
    "{sync,official_splits/test}/ROOM/rgb_*.jpg with sync_depth_*.png;"
    " official_splits/train without sync",
    open_split,
)

"""Cityscapes with fine or coarse annotations, 19 classes, as its archives unpack into one folder.

Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016.
"""

from pathlib import Path

from torchvision.datasets import Cityscapes
from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import LabelCode
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.images import Size
from dysample.workbench.data.reader import (
    Notes,
    Reader,
    check_unshared,
    list_images,
    passed_over,
    split_folder,
)
from dysample.workbench.metrics.boundary import IGNORE

NAME = "cityscapes"
_IMAGE = "_leftImg8bit"
_LEVELS = ("gtFine", "gtCoarse")
_LABEL_IDS, _TRAIN_IDS = "_labelIds.png", "_labelTrainIds.png"

# The benchmark's classes in the order of their train ids; the others are not evaluated.
_TRAINED = sorted(
    (kind for kind in Cityscapes.classes if kind.train_id not in (-1, IGNORE)),
    key=lambda kind: kind.train_id,
)
CLASSES = Classes(
    tuple(kind.name for kind in _TRAINED),
    frozenset(kind.train_id for kind in _TRAINED if kind.has_instances),
    tuple(kind.color for kind in _TRAINED),
)
_CODES = {
    _LABEL_IDS: LabelCode(
        {
            **{kind.id: IGNORE for kind in Cityscapes.classes if kind.id >= 0},
            **{kind.id: kind.train_id for kind in _TRAINED},
        },
        "label ids 0 to 33",
    ),
    _TRAIN_IDS: LabelCode.plain(len(_TRAINED), rule="train ids 0 to 18, or 255"),
}


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Images of every city with their label ids, translated into train ids.

    Fine annotations are taken where there are any of the split, otherwise coarse ones; files of
    train ids where there are none of label ids.
    """
    images = split_folder(folder / "leftImg8bit" / split)
    cities = sorted(path for path in images.iterdir() if path.is_dir())
    if not cities:
        raise ValueError(f"folder {images} must hold a folder for each city, but has none")
    level = next((level for level in _LEVELS if (folder / level / split).is_dir()), _LEVELS[0])
    items: list[Item] = []
    notes: Notes = passed_over(images, cities, "no folders of cities")
    for city in cities:
        found = list_images(city)
        notes += passed_over(city, found, "no images")
        labels = [_label_path(folder / level / split, image, level) for image in found]
        items += [Item(image, label, 0) for image, label in zip(found, labels)]
    check_unshared(items)
    items = [item._replace(image_id=number) for number, item in enumerate(items)]
    return DataSet(NAME, "semantic", split, CLASSES, items, _read_target, notes=notes)


def _label_path(base: Path, image: Path, level: str) -> Path:
    if not image.stem.endswith(_IMAGE):
        raise ValueError(f"image {image} must have a name that ends in {_IMAGE}{image.suffix}")
    place = base / image.parent.name / f"{image.stem.removesuffix(_IMAGE)}_{level}"
    label, train = (place.with_name(place.name + ending) for ending in (_LABEL_IDS, _TRAIN_IDS))
    return train if train.is_file() and not label.is_file() else label


def _read_target(item: Item, size: Size) -> Mask:
    path: Path = item.annotation
    ending = _TRAIN_IDS if path.name.endswith(_TRAIN_IDS) else _LABEL_IDS
    return _CODES[ending].read(item, size)


READER = Reader(
    NAME,
    "semantic",
    f"leftImg8bit/{{train,val}}/CITY/*{_IMAGE}.png, gtFine/{{train,val}}/CITY/*_gtFine{_LABEL_IDS}",
    open_split,
)

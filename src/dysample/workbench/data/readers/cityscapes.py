"""Cityscapes with fine annotations, 19 classes, as its two archives unpack into one folder.

Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016.
"""

from pathlib import Path

from torchvision.datasets import Cityscapes
from torchvision.tv_tensors import Mask

from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.images import list_images
from dysample.workbench.data.labels import LabelCode
from dysample.workbench.data.reader import Reader, split_folder
from dysample.workbench.data.targets import IGNORE

NAME = "cityscapes"
_IMAGE, _LABEL = "_leftImg8bit", "_gtFine_labelIds.png"

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
_CODE = LabelCode(
    {
        **{kind.id: IGNORE for kind in Cityscapes.classes if kind.id >= 0},
        **{kind.id: kind.train_id for kind in _TRAINED},
    },
    "label ids 0 to 33",
)


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Images of every city with their label ids, translated into train ids."""
    images = split_folder(folder / "leftImg8bit" / split)
    cities = sorted(path for path in images.iterdir() if path.is_dir())
    if not cities:
        raise ValueError(f"folder {images} must hold a folder for each city, but has none")
    files = [image for city in cities for image in list_images(city)]
    items = [Item(image, _label_path(folder, image), number) for number, image in enumerate(files)]
    return DataSet(NAME, "semantic", split, CLASSES, items, _CODE.read)


def _label_path(folder: Path, image: Path) -> Path:
    city, stem = image.parent, image.stem
    if not stem.endswith(_IMAGE):
        raise ValueError(f"image {image} must have a name that ends in {_IMAGE}{image.suffix}")
    return folder / "gtFine" / city.parent.name / city.name / (stem.removesuffix(_IMAGE) + _LABEL)


READER = Reader(
    NAME,
    "semantic",
    f"leftImg8bit/{{train,val}}/CITY/*{_IMAGE}.png, gtFine/{{train,val}}/CITY/*{_LABEL}",
    open_split,
)

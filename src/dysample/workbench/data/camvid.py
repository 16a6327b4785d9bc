"""CamVid street scenes in the layout of the SegNet tutorial.

``train`` and ``val`` hold .jpg or .png images; ``trainannot`` and ``valannot`` hold for each a .png
of the same stem with one class index a pixel, where 11 or 255 stands for void.

Brostow, Fauqueur, Cipolla: Semantic object classes in video, 2009; the 11 classes are those of
Badrinarayanan, Kendall, Cipolla: SegNet, 2017.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dysample.workbench.settings import SemanticSettings

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree",
    "sign", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
VOID = (11, 255)
_IGNORE = 255

# What Pillow raises on files that are cut short, damaged, or no image at all.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def describe(folder: str, settings: SemanticSettings) -> dict[str, Any]:
    """What a record says about the data; opens one image's header only.

    Raises:
        FileNotFoundError: a folder or an annotation is missing.
        ValueError: an empty folder, fewer images than asked for, or an unreadable first image.
    """
    pairs = {split: _pairs(folder, split) for split in ("train", "val")}
    counts = {}
    for split, wanted in (("train", settings.train_frames), ("val", settings.val_frames)):
        found = len(pairs[split])
        if wanted is not None and wanted > found:
            raise ValueError(
                f"`{split}_frames` (={wanted}) must not exceed the {found} images in "
                f"{Path(folder) / split}"
            )
        counts[split] = wanted or found
    width, height = _open(pairs["train"][0][0]).size
    # Whole pixels of the aspect ratio; the long side is held to where 16-bit positions end.
    scaled = round(settings.size * width / height)
    if not 32 <= scaled <= 512:
        raise ValueError(
            f"`size` (={settings.size}) makes images {scaled} pixels wide; must be from 32 to 512"
        )
    return {
        "name": "camvid",
        "train": counts["train"],
        "val": counts["val"],
        "height": settings.size,
        "width": scaled,
        "classes": list(CLASSES),
    }


def read_split(folder: str, split: str, about: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W, 3) uint8, resized with antialiasing, and labels (N, H, W) uint8, nearest.

    Args:
        folder: the data set's.
        split: ``"train"`` or ``"val"``.
        about: from `describe`: height, width and how many images.

    Raises:
        ValueError: an image or annotation that cannot be read, is of another size than its
            partner, or holds a label that is no class; the message names the file.
    """
    size = (about["width"], about["height"])
    images = np.empty((about[split], about["height"], about["width"], 3), np.uint8)
    labels = np.empty(images.shape[:3], np.uint8)
    for i, (image_path, label_path) in enumerate(_pairs(folder, split)[: about[split]]):
        image = _open(image_path)
        label = _open(label_path)
        if image.size != label.size:
            raise ValueError(
                f"annotation {label_path} must be of its image's size {_text(image.size)}, "
                f"but is {_text(label.size)}"
            )
        _check_labels(label_path, label)
        images[i] = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        labels[i] = label.resize(size, Image.Resampling.NEAREST)
    labels[np.isin(labels, VOID)] = _IGNORE
    return images, labels


def _pairs(folder: str, split: str) -> list[tuple[Path, Path]]:
    """Image and annotation paths, in the order of the names."""
    images, annotations = Path(folder) / split, Path(folder) / f"{split}annot"
    for path in (images, annotations):
        if not path.is_dir():
            raise FileNotFoundError(f"camvid folder {path} does not exist")
    found = sorted(
        path for path in images.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    if not found:
        raise ValueError(f"camvid folder {images} must hold .jpg or .png images, but has none")
    pairs = [(path, annotations / f"{path.stem}.png") for path in found]
    for image, label in pairs:
        if not label.is_file():
            raise FileNotFoundError(f"image {image} must have an annotation {label}")
    return pairs


def _open(path: Path) -> Image.Image:
    """A wholly decoded image."""
    try:
        with Image.open(path) as image:
            image.load()
    except _UNREADABLE as error:
        raise ValueError(f"image {path} cannot be read: {error}") from error
    return image


def _check_labels(path: Path, label: Image.Image) -> None:
    if label.mode not in ("L", "P"):
        raise ValueError(
            f"annotation {path} must hold one 8-bit class index a pixel, but is {label.mode}"
        )
    values = np.unique(np.asarray(label))
    wrong = values[(values >= len(CLASSES)) & ~np.isin(values, VOID)]
    if len(wrong):
        raise ValueError(
            f"annotation {path} holds label {wrong[0]}; labels must be 0 to {len(CLASSES) - 1}, "
            f"or 11 or 255 for void"
        )


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

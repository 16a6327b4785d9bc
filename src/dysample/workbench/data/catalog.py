"""The data set layouts by name, for ``NAME:PATH``."""

import os
from pathlib import Path
from typing import Any

from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.reader import SPLITS, MissingSplitError, Reader
from dysample.workbench.data.readers import (
    ade20k,
    camvid,
    cityscapes,
    coco,
    coco_panoptic,
    folders,
    kitti,
    nyu,
    pennfudan,
    voc,
)

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        ade20k.READER,
        folders.BINARY,
        camvid.READER,
        cityscapes.READER,
        coco.DETECTION,
        coco.INSTANCE,
        coco_panoptic.READER,
        folders.INDICES,
        folders.DEPTH,
        folders.INSTANCES,
        kitti.READER,
        nyu.READER,
        pennfudan.READER,
        voc.READER,
    )
}


def find_reader(data: str) -> tuple[Reader, Path]:
    """Return the reader and the folder of ``"NAME:PATH"``.

    Raises:
        ValueError: of another form, or an unknown name.
        FileNotFoundError: no such folder.
    """
    name, _, folder = data.partition(":")
    if not folder:
        raise ValueError(f"`data` (={data!r}) must be NAME:PATH, NAME one of {', '.join(READERS)}")
    if name not in READERS:
        raise ValueError(f"`data` (={data!r}) must start with one of {', '.join(READERS)}")
    # A shell does not expand the ~ in NAME:~/data; pathlib would raise for an unknown user.
    path = Path(os.path.expanduser(folder))
    if not path.is_dir():
        raise FileNotFoundError(f"folder {path} does not exist")
    return READERS[name], path


def open_data(data: str, split: str) -> DataSet[Any]:
    """Open one split of ``"NAME:PATH"``; its files are listed, but not yet read.

    Raises:
        ValueError: another form, an unknown name or split, or a folder without images.
        FileNotFoundError: a folder or list that the layout has is missing.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` (={split!r}) must be 'train' or 'val'")
    reader, folder = find_reader(data)
    return reader.open(folder, split)


def open_splits(data: str) -> list[DataSet[Any]]:
    """Open the existing splits of ``"NAME:PATH"``.

    Raises:
        ValueError, FileNotFoundError: as `open_data`; the latter too if no split is there.
    """
    reader, folder = find_reader(data)
    found: list[DataSet[Any]] = []
    missing: list[str] = []
    for split in SPLITS:
        try:
            found.append(reader.open(folder, split))
        except MissingSplitError as error:
            missing.append(str(error))
    if not found:
        raise FileNotFoundError(f"{reader.name}: {' and '.join(missing)}; expected {reader.layout}")
    return found

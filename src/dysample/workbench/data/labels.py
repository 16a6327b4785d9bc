"""Annotations of one class index per pixel, in a data set's own encoding."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torchvision.tv_tensors import Mask

from dysample.workbench.boundary import IGNORE
from dysample.workbench.data.annotations import read_indices
from dysample.workbench.data.dataset import Item


class LabelCode:
    """How a data set encodes classes in 8-bit images.

    Args:
        labels: class index of each value that may occur, `IGNORE` for one that stands for none.
        rule: the values in words, for messages.
    """

    def __init__(self, labels: Mapping[int, int], rule: str) -> None:
        self.rule = rule
        self.legal = np.isin(np.arange(256), list(labels))
        self.table = np.zeros(256, np.uint8)
        for value, label in labels.items():
            self.table[value] = label

    @classmethod
    def plain(cls, count: int, void: Iterable[int] = (IGNORE,), rule: str = "") -> "LabelCode":
        """Return the code of classes 0 to `count` - 1, in which `void` values stand for none."""
        labels = {**{i: i for i in range(count)}, **dict.fromkeys(void, IGNORE)}
        return cls(labels, rule or f"0 to {count - 1}, or 255 for void")

    def read(self, item: Item, size: tuple[int, int]) -> Mask:
        """Read the target of an item whose annotation is a file: (H, W) int64.

        Raises:
            ValueError, FileNotFoundError: a file that cannot be read, of another size than its
                image, or with a value that stands for nothing.
        """
        path: Path = item.annotation
        values = read_indices(path, size)
        wrong = np.bincount(values.ravel(), minlength=256).astype(bool) & ~self.legal
        if wrong.any():
            raise ValueError(
                f"annotation {path} holds label {wrong.argmax()}; labels must be {self.rule}"
            )
        return Mask(torch.from_numpy(self.table[values]).long())

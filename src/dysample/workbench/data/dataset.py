"""One split of a data set on disk, as every reader returns it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from torch.utils.data import Dataset
from torchvision.tv_tensors import Image

from dysample.workbench.data.images import Size, read_image
from dysample.workbench.data.targets import Kind

Target = TypeVar("Target")
Colour = tuple[int, int, int]


class Item(NamedTuple):
    """The location of one sample.

    Attributes:
        image: file.
        annotation: what the reader builds the target from, usually another file.
        image_id: number of the image.
        size: height and width as stated by the data set, if they are.
    """

    image: Path
    annotation: Any
    image_id: int
    size: Size | None = None


@dataclass(frozen=True)
class Classes:
    """The classes of a data set.

    Attributes:
        names: of the classes; none for depth.
        things: indices of the classes whose objects are counted one by one.
        palette: the data set's own RGB colour of each class, 0 to 255; None if it has none.
    """

    names: tuple[str, ...] = ()
    things: frozenset[int] = frozenset()
    palette: tuple[Colour, ...] | None = None


@dataclass(frozen=True, eq=False)
class DataSet(Dataset[tuple[Image, Target]], Generic[Target]):
    """A map-style data set of pairs (image, target); `dysample.workbench.data.targets` has forms.

    Files are listed on construction and read on access; `scan` checks all of them.

    Attributes:
        name: of the layout, ``"ade20k"``.
        kind: of the targets.
        split: ``"train"`` or ``"val"``.
        classes: names, things and colours.
        items: one for each sample.
        read_target: makes the target of an item whose image is of a size (height, width).
        transform: called with image and target of each sample.
        notes: a line for each kind of files or entries that the reader skipped.
    """

    name: str
    kind: Kind
    split: str
    classes: Classes
    items: Sequence[Item]
    read_target: Callable[[Item, Size], Target]
    transform: Callable[[Image, Target], tuple[Any, Any]] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return image and target.

        Raises:
            ValueError, FileNotFoundError: a file cannot be used; the message names it.
        """
        item = self.items[index]
        try:
            image = read_image(item.image, item.size)
            height, width = image.shape[-2:]
            target = self.read_target(item, (height, width))
        except MemoryError as error:
            raise ValueError(f"image {item.image}: there is not enough memory for it") from error
        return (image, target) if self.transform is None else self.transform(image, target)

    def transformed(
        self, transform: Callable[[Image, Target], tuple[Any, Any]]
    ) -> "DataSet[Target]":
        """Return the same samples, with `transform` applied."""
        return replace(self, transform=transform)

    def without(self, indices: set[int]) -> "DataSet[Target]":
        """Return all samples but those, in the same order."""
        kept = [item for i, item in enumerate(self.items) if i not in indices]
        return replace(self, items=kept)

"""COCO's annotation files: images, categories and annotations, in JSON, and rules for values."""

import json
import reprlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any

from dysample.workbench.data.dataset import Item
from dysample.workbench.data.images import Size
from dysample.workbench.data.reader import MissingSplitError, is_name

Entry = dict[str, Any]

LARGEST = 2**24
"""Largest coordinate: up to here float32 represents every integer."""

_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 60


def shown(value: Any) -> str:
    """Return a short one-line form of a value of any length or depth."""
    return _shown.repr(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number that can be a coordinate; true and false are not."""
    return type(value) in (int, float) and abs(value) <= LARGEST  # NaN is not


def _is_flag(value: Any) -> bool:
    """Whether a value is 0 or 1; false and true mean the same."""
    return type(value) in (int, float, bool) and value in (0, 1)


def _integer(least: float = -inf, most: float = inf) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_name(value)


def _is_file_name(value: Any) -> bool:
    if not _is_text(value):
        return False
    path = PurePosixPath(value)
    lengths = [len(part.encode()) for part in path.parts]
    return not path.is_absolute() and ".." not in path.parts and max(lengths, default=0) < 256


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(map(is_number, value))
        and min(value[2:]) >= 0
    )


def _is_area(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= LARGEST**2


def _is_colour(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_integer(0, 255), value))


RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "area": (_is_area, "must be a finite number, not negative"),
    "bbox": (
        _is_box,
        f"must be x, y, width, height: four finite numbers up to {LARGEST}, sides not negative",
    ),
    "category_id": (_integer(), "must be an integer"),
    "color": (_is_colour, "must be three integers from 0 to 255"),
    "file_name": (_is_file_name, "must be the name of a file below the folder"),
    "height": (_integer(1), "must be a positive integer"),
    "id": (_integer(), "must be an integer"),
    "image_id": (_integer(), "must be an integer"),
    "iscrowd": (_is_flag, "must be 0 or 1"),
    "isthing": (_is_flag, "must be 0 or 1"),
    "name": (_is_text, "must be text of one line"),
    "segment id": (_integer(1, 256**3 - 1), "must be an integer from 1 to 256^3 - 1"),
    "segments_info": (lambda value: isinstance(value, list), "must be a list"),
    "width": (_integer(1), "must be a positive integer"),
}
"""By key: whether a value is right, and what it must be, for messages."""


class CocoFile:
    """The contents of a COCO annotation file, checked as far as the readers rely on it.

    Args:
        path: of the file; the split is missing without it.

    Attributes:
        images: image entries in the order of their ids.
        categories: category entries in the order of their ids.
        index: place of a category id in `categories`.
        entries: annotations as the file lists them.

    Raises:
        MissingSplitError: no such file.
        ValueError: not JSON, without what a COCO file holds, or with an id, a file or a name that
            stands for two things.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingSplitError(f"annotation file {path} does not exist")
        self.path = path
        content = _load(path)
        sides = ("height", "width")
        self.images = self._entries(content, "images", ("id", "file_name"), sides)
        self.categories = self._entries(content, "categories", ("id", "name"), ("color", "isthing"))
        self.entries = self._entries(content, "annotations", ("image_id",))
        if not self.categories:
            raise self.error("`categories` (=[]) must hold one at least")
        self.once("images", self.images, ("id", "file_name"))
        self.once("categories", self.categories, ("id", "name"))
        for place, entry in enumerate(self.images):
            if ("height" in entry) != ("width" in entry):
                raise self.error(f"images[{place}] must hold both `height` and `width`, or neither")
        for entries in (self.images, self.categories):
            entries.sort(key=lambda entry: entry["id"])
        self.index = {entry["id"]: place for place, entry in enumerate(self.categories)}

    def annotations(self) -> dict[int, list[Entry]]:
        """Return the annotations by image id.

        Raises:
            ValueError: an image that is not listed.
        """
        known = {entry["id"] for entry in self.images}
        grouped: dict[int, list[Entry]] = defaultdict(list)
        for place, entry in enumerate(self.entries):
            if entry["image_id"] not in known:
                raise self.error(
                    f"annotations[{place}]: `image_id` (={shown(entry['image_id'])}) must be"
                    " listed in `images`"
                )
            grouped[entry["image_id"]].append(entry)
        return grouped

    def category(self, entry: Entry, where: str) -> int:
        """Return the index in `categories` of an entry's category.

        Raises:
            ValueError: one that is not listed.
        """
        self.check(entry, where, ("category_id",))
        place = self.index.get(entry["category_id"])
        if place is None:
            raise self.error(
                f"{where}: `category_id` (={shown(entry['category_id'])}) must be listed in"
                " `categories`"
            )
        return place

    def check(
        self, entry: Any, where: str, needed: Sequence[str], optional: Sequence[str] = ()
    ) -> None:
        """Raise a ValueError unless an entry is valid.

        Args:
            entry: of the file.
            where: it was found, for messages.
            needed: keys that it must hold; keys that have a rule are checked by it.
            optional: keys whose values are checked where they are held.
        """
        for key in (*needed, *optional):
            if not isinstance(entry, dict) or key not in entry:
                if key in needed:
                    raise self.error(f"{where} must hold `{key}`")
            elif key in RULES:
                self.check_value(key, entry[key], where)

    def check_value(self, key: str, value: Any, where: str, rule: str = "") -> None:
        """Raise a ValueError unless a key's value follows its rule, or another one by name."""
        right, words = RULES[rule or key]
        if not right(value):
            raise self.error(f"{where}: `{key}` (={shown(value)}) {words}")

    def once(self, name: str, entries: list[Entry], keys: Sequence[str]) -> None:
        """Raise a ValueError if two entries have the same value of a key."""
        for key in keys:
            first: dict[Any, int] = {}
            for place, entry in enumerate(entries):
                if (other := first.setdefault(entry[key], place)) != place:
                    raise self.error(
                        f"{name}[{place}]: `{key}` (={shown(entry[key])}) must be another one than"
                        f" that of {name}[{other}]"
                    )

    def error(self, text: str) -> ValueError:
        """Return an error that names the file."""
        return error_in(self.path, text)

    def _entries(
        self, content: Any, key: str, needed: Sequence[str], optional: Sequence[str] = ()
    ) -> list[Entry]:
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise self.error(f"must hold a list `{key}`")
        for place, entry in enumerate(entries):
            self.check(entry, f"{key}[{place}]", needed, optional)
        return entries


def error_in(path: Path, text: str) -> ValueError:
    """Return an error that names an annotation file."""
    return ValueError(f"annotation file {path}: {text}")


def stated_size(image: Entry) -> Size | None:
    """Return height and width as stated by an image's entry, if they are."""
    return (image["height"], image["width"]) if "height" in image else None


def check_stated(path: Path, item: Item, size: Size) -> None:
    """Raise a ValueError unless an image is of the size that the annotation file states."""
    if item.size not in (None, size):
        height, width = item.size
        raise error_in(
            path,
            f"image {item.image.name}: `width`, `height` (={shown(width)}, {shown(height)}) must be"
            f" those of its file, {size[1]}, {size[0]}",
        )


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError(f"annotation file {path} is nested too deeply to be read") from error
    except MemoryError as error:
        raise ValueError(
            f"annotation file {path} cannot be read: there is not enough memory"
        ) from error
    except ValueError as error:
        raise ValueError(f"annotation file {path} is not JSON: {error}") from error

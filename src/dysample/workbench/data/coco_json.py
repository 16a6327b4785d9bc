"""COCO's annotation files: images, categories and annotations, in JSON."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from dysample.workbench.data.reader import MissingSplitError


class CocoFile:
    """What a COCO annotation file holds, checked as far as the readers rely on it.

    Args:
        path: of the file; the split is missing without it.

    Attributes:
        images: image entries in the order of their ids.
        categories: category entries in the order of their ids.
        index: place of a category id in `categories`.

    Raises:
        MissingSplitError: no such file.
        ValueError: not JSON, or without what a COCO file holds.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingSplitError(f"annotation file {path} does not exist")
        self.path = path
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"annotation file {path} is not JSON: {error}") from error
        self.images = self._entries(content, "images", ("id", "file_name"))
        self.categories = self._entries(content, "categories", ("id", "name"))
        self._annotations = self._entries(content, "annotations", ("image_id",), ordered=False)
        self.index = {entry["id"]: place for place, entry in enumerate(self.categories)}

    def annotations(self, *needed: str) -> dict[int, list[dict[str, Any]]]:
        """Annotations by image id, each with the keys `needed`.

        Raises:
            ValueError: a missing key, or an image that is not listed.
        """
        known = {entry["id"] for entry in self.images}
        grouped: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for place, entry in enumerate(self._annotations):
            self.require(entry, needed, f"annotations[{place}]")
            if entry["image_id"] not in known:
                raise self.error(
                    f"annotations[{place}]: `image_id` (={entry['image_id']!r}) must be listed in"
                    " `images`"
                )
            grouped[entry["image_id"]].append(entry)
        return grouped

    def category(self, entry: dict[str, Any], where: str) -> int:
        """Place in `categories` of an entry's category.

        Raises:
            ValueError: one that is not listed.
        """
        place = self.index.get(entry["category_id"])
        if place is None:
            raise self.error(
                f"{where}: `category_id` (={entry['category_id']!r}) must be listed in `categories`"
            )
        return place

    def require(self, entry: Any, keys: tuple[str, ...], where: str) -> None:
        """Raise a ValueError unless an entry, found at `where`, has all of some keys."""
        for key in keys:
            if not isinstance(entry, dict) or key not in entry:
                raise self.error(f"{where} must hold `{key}`")

    def error(self, text: str) -> ValueError:
        """An error that names the file."""
        return ValueError(f"annotation file {self.path}: {text}")

    def _entries(
        self, content: Any, key: str, needed: tuple[str, ...], ordered: bool = True
    ) -> list[dict[str, Any]]:
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise self.error(f"must hold a list `{key}`")
        for place, entry in enumerate(entries):
            self.require(entry, needed, f"{key}[{place}]")
        return sorted(entries, key=lambda entry: entry["id"]) if ordered else entries

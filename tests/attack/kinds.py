"""What an attack is, and what the attacks share."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from attack.children import Child, Ended, verb

TINY = [
    "--size=32", "--width=8", "--train-frames=9",
    "--val-frames=4", "--steps=6", "--batch-size=2",
    "--validate-every=2", "--checkpoint-every=1", "--accelerator=cpu",
]  # fmt: skip
TRAIN = ["train", "semantic_scenes", *TINY, "--upsampler=bilinear"]
COMPARE = [
    "compare", "--steps=6", "--batch-size=2", "--size=32", "--width=8", "--train-frames=9",
    "--val-frames=4", "--workers=1", "--upsamplers=nearest,bilinear", "--seeds=2",
]  # fmt: skip


class SkipError(Exception):
    """A kind of attack that this machine cannot make; says why."""


@dataclass
class Outcome:
    """Of one seed: how much was tried, and what was wrong."""

    tried: int = 1
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A kind of attack.

    Attributes:
        name: for the command line.
        unit: what is counted, in the plural.
        target: so many in a campaign.
        attack: takes a generator, an empty folder, and what is made once.
    """

    name: str
    unit: str
    target: int
    attack: Callable[[Random, Path, "Made"], Outcome]


class Made:
    """What is made once and then copied, damaged, or compared with.

    Args:
        folder: for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.environ["DYSAMPLE_CACHE"] = str(folder / "cache")
        self._closing: list[Callable[[], None]] = []

    @cached_property
    def trained(self) -> Path:
        """The folder of a training that nobody interrupted."""
        return self._whole([*TRAIN, "--output", self.folder / "trained"])

    @cached_property
    def compared(self) -> Path:
        """The folder of a comparison that nobody interrupted."""
        return self._whole([*COMPARE, "--output", self.folder / "compared"])

    def at_the_end(self, close: Callable[[], None]) -> None:
        """Have something called when the campaign is over."""
        self._closing.append(close)

    def close(self) -> None:
        """Call it."""
        for close in self._closing:
            close()

    def _whole(self, command: list[Any]) -> Path:
        ended = Child(verb(*command), self.folder).wait(600)
        if faults := ended.faults(0):
            raise RuntimeError(f"{' '.join(map(str, command))}: {faults[0]}")
        return Path(command[-1])


def held(folder: Path) -> dict[str, str]:
    """What a folder holds: digests of files by their paths within it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }  # fmt: skip


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What was changed, added or lost."""
    return [
        f"{name}: {'lost' if name not in after else 'changed' if name in before else 'left behind'}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def parts_left(folder: Path) -> list[str]:
    """Files that were to be renamed once they are whole."""
    return [f"left behind: {path}" for path in sorted(folder.rglob(".*.part"))]


def refused_or_done(ended: Ended, folder: Path, before: dict[str, str], *codes: int) -> Outcome:
    """Right codes, and nothing changed by a command that was refused."""
    faults = ended.faults(*codes) + parts_left(folder)
    if ended.code == 2:
        changes = differences(before, held(folder))
        faults += [f"{change}, although refused: {ended.stderr.strip()}" for change in changes]
    return Outcome(1, faults)

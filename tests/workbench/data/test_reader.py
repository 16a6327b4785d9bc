import re
from pathlib import Path

import pytest

from dysample.workbench.data.images import SUFFIXES
from dysample.workbench.data.reader import list_images, note, passed_over
from support.refusals import refused


def test_images_by_their_endings(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "Thumbs.db", "c.txt", "d.gif", "._a.png", ".DS_Store"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    found = list_images(tmp_path)
    assert [path.name for path in found] == ["a.png", "b.JPG"]
    assert passed_over(tmp_path, found, "no images") == (
        f"skipped in {tmp_path}, no images: 3 (c.txt, d.gif, more/)",
    )
    (tmp_path / "c.txt").unlink()
    (tmp_path / "d.gif").unlink()
    (tmp_path / "more").rmdir()
    assert passed_over(tmp_path, found, "no images") == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_ending(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").touch()
    assert [path.name for path in list_images(tmp_path)] == [f"a{suffix}"]


def test_long_lists_are_counted(tmp_path: Path) -> None:
    assert note([str(i) for i in range(9)], tmp_path, "why") == (
        f"skipped in {tmp_path}, why: 9 (0, 1, 2, ...)",
    )
    assert note([], tmp_path, "why") == ()


def test_nothing_but_what_macos_left(tmp_path: Path) -> None:
    (tmp_path / "._a.png").touch()
    with refused(rf"folder {re.escape(str(tmp_path))} must hold images \(.jpg, .jpeg, .pn"):
        list_images(tmp_path)

from pathlib import Path

import pytest

from dysample.files import sweep, whole_file


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.yaml") as file:
        file.write(b"whole")
        (half,) = tmp_path.iterdir()
    (tmp_path / half.name).write_bytes(b"half")
    (tmp_path / "b.part").write_text("another's")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "b.part"]


def test_a_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with whole_file(tmp_path / "whole") as file:
        file.write(b"whole")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_writing_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def write() -> None:
        with whole_file(tmp_path / "a") as file:
            file.write(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]

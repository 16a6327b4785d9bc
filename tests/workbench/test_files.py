from pathlib import Path

import pytest

from dysample.workbench.files import alone_in, sweep, whole_file


def test_a_folder_is_one_command_s(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with alone_in(folder):
        other = alone_in(folder)
        with pytest.raises(ValueError, match=r"new\) is in use by another run of dysample"):
            other.__enter__()
    with alone_in(folder):
        assert folder.is_dir()


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.yaml") as file:
        file.write(b"whole")
        (half,) = tmp_path.iterdir()
    (tmp_path / half.name).write_bytes(b"half")
    (tmp_path / "b.part").write_text("another's")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "b.part"]

import subprocess
import sys
from pathlib import Path

from dysample.files import sweep, whole_file, whole_files
from support.refusals import refused


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.yaml") as file:
        file.write(b"whole")
        (half,) = tmp_path.iterdir()
    (tmp_path / half.name).write_bytes(b"half")
    (tmp_path / "b.part").write_text("another's")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "b.part"]


KILLED = """
import os, sys
from pathlib import Path
from dysample.files import whole_file, whole_files
folder = Path(sys.argv[1])
with whole_files(folder) as files, whole_file(folder / "a [b].onnx") as file:
    (files / "report.md").write_text("half")
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
"""


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode != 0
    assert len(list(tmp_path.glob(".*.part"))) == 2
    with whole_file(tmp_path / "other") as file:
        file.write(b"whole")
    assert len(list(tmp_path.glob(".*.part"))) == 2  # of other names
    with whole_file(tmp_path / "a [b].onnx") as file:
        file.write(b"whole")
    with whole_files(tmp_path) as files:
        (files / "report.md").write_text("whole")
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert names == ["a [b].onnx", "other", "report.md"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"whole"}


def test_writers_at_work_keep_what_they_write(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file, whole_files(tmp_path) as files:
        file.write(b"first")
        (files / "b").write_text("first")
        sweep(tmp_path)
        with whole_file(tmp_path / "a") as other, whole_files(tmp_path) as others:
            other.write(b"second")
            (others / "b").write_text("second")
        assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "second"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "first",
        "b": "first",
    }


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

    with refused("disk full", OSError):
        write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]

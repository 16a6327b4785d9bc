import errno
import fcntl
from pathlib import Path
from typing import Any

import pytest

from dysample.workbench.folders import alone_in, undone
from support.refusals import refused


def test_a_folder_is_one_command_s(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with alone_in(folder):
        other = alone_in(folder)
        with refused(r"new\) is in use by another run of dysample"):
            other.__enter__()
    with alone_in(folder):
        assert folder.is_dir()
        (folder / "kept").touch()
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "kept"]


def test_a_folder_in_which_nothing_is_kept_is_not_left(tmp_path: Path) -> None:
    with refused("refused"), alone_in(tmp_path / "a" / "b"):
        raise ValueError("refused")
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with refused(r"`output` \(=.*a\) must be a folder"):
        alone_in(tmp_path / "a").__enter__()
    with refused(r"a/b", NotADirectoryError):
        alone_in(tmp_path / "a" / "b").__enter__()
    assert (tmp_path / "a").read_text() == "mine"


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with refused(r"new must be on a file system that has locks: .*No locks", OSError):
        alone_in(tmp_path / "new").__enter__()


@pytest.mark.parametrize(
    ("error", "kept", "left"),
    [
        (ValueError, False, ["mine", "old"]),
        (ValueError, True, ["last.ckpt", "log", "mine", "new", "old"]),
        (KeyboardInterrupt, False, ["log", "mine", "new", "old"]),
    ],
)
def test_what_failed_is_undone(
    error: type[BaseException], kept: bool, left: list[str], tmp_path: Path
) -> None:
    (tmp_path / "old").write_text("mine")

    def fail() -> None:
        with undone(tmp_path, ["old", "new", "log"], kept="last.ckpt"):
            (tmp_path / "log" / "version_0").mkdir(parents=True)
            for name in ("old", "new", "mine", *["last.ckpt"] * kept):
                (tmp_path / name).touch()
            raise error

    with pytest.raises(error):
        fail()
    assert sorted(path.name for path in tmp_path.iterdir()) == left

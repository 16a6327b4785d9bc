import os
from pathlib import Path
from typing import Any

import pytest
import torch

from dysample.workbench.checkpoints import WholeFileIO


def test_writes_what_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    WholeFileIO().save_checkpoint({"a": torch.arange(3)}, path)
    assert WholeFileIO().load_checkpoint(path)["a"].tolist() == [0, 1, 2]
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]


def test_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    WholeFileIO().save_checkpoint({"a": 1}, path)

    def half(checkpoint: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        WholeFileIO().save_checkpoint({"a": 2}, path)
    assert WholeFileIO().load_checkpoint(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_on_the_disk_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b))[1])
    WholeFileIO().save_checkpoint({}, tmp_path / "last.ckpt")
    assert calls[:2] == ["fsync", "replace"]

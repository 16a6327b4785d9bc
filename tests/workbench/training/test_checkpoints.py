import os
from pathlib import Path

import pytest
import torch

from dysample.workbench.training.checkpoints import WholeFileIO, read_checkpoint
from support.refusals import refused


def test_writes_what_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    WholeFileIO().save_checkpoint({"a": torch.arange(3)}, path)
    assert WholeFileIO().load_checkpoint(path)["a"].tolist() == [0, 1, 2]
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]


def test_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    WholeFileIO().save_checkpoint({"a": 1}, path)

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with refused("disk full", OSError):
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


def test_no_bit_can_be_flipped_unseen(tmp_path: Path) -> None:
    """Each is an error that names the file, or of no consequence."""
    path = tmp_path / "last.ckpt"
    held = {"run": "a", "about": {"x": 1}, "spec": {}, "state_dict": {"w": torch.arange(40.0)}}
    torch.save(held, path)
    whole = path.read_bytes()
    refused = []
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        try:
            found = read_checkpoint(path)
        except ValueError as error:
            refused.append(str(error))
        else:
            assert found["about"] == held["about"]
            assert torch.equal(found["state_dict"]["w"], held["state_dict"]["w"])
    assert len(refused) > len(whole) // 30
    assert all(str(path) in message and "\n" not in message for message in refused)


def test_a_checkpoint_from_which_nothing_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"run": "a", "about": {}, "spec": {}, "state_dict": {}, "loops": {}}, path)
    message = r"must hold callbacks, global_step, lr_schedulers, optimizer_states \(delete it\)"
    with refused(message):
        read_checkpoint(path, "a")

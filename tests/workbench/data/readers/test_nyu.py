from pathlib import Path

import pytest
import torch

from dysample.workbench.data.catalog import open_data
from support import layouts
from support.refusals import refused


@pytest.mark.parametrize(("split", "room"), [("train", "kitchen_0001"), ("val", "kitchen")])
def test_millimetres(tmp_path: Path, split: str, room: str) -> None:
    data = open_data(f"nyu:{layouts.nyu(tmp_path)}", split)
    assert [item.image.parent.name for item in data.items] == [room]
    _, depth = data[0]
    assert depth.dtype == torch.float32
    torch.testing.assert_close(
        depth[:, 0].as_subclass(torch.Tensor)[::2], torch.tensor([0, 0.713, 9.999])
    )


def test_eight_bit_depth(tmp_path: Path) -> None:
    path = layouts.nyu(tmp_path) / "sync" / "kitchen_0001" / "sync_depth_00045.png"
    layouts.write_png(path, layouts.rows(7))
    with refused(r"00045.png must be a 16-bit grey PNG, but is L"):
        open_data(f"nyu:{tmp_path}", "train")[0]


def test_no_depth(tmp_path: Path) -> None:
    (layouts.nyu(tmp_path) / "sync" / "kitchen_0001" / "sync_depth_00045.png").unlink()
    with refused(r"sync must hold ROOM/sync_depth_\*.png, but has none"):
        open_data(f"nyu:{tmp_path}", "train")


def test_official_split_for_training(tmp_path: Path) -> None:
    (layouts.nyu(tmp_path) / "sync").rename(tmp_path / "official_splits" / "train")
    data = open_data(f"nyu:{tmp_path}", "train")
    assert [item.image.parts[-3:] for item in data.items] == [
        ("train", "kitchen_0001", "rgb_00045.jpg")
    ]
    assert data[0][1].max() == pytest.approx(9.999)
    (tmp_path / "official_splits" / "train").rename(tmp_path / "aside")
    with refused(r"folder .*/sync or .*/official_splits/train does not exist", FileNotFoundError):
        open_data(f"nyu:{tmp_path}", "train")


def test_frames_without_depth_are_counted(tmp_path: Path) -> None:
    room = layouts.nyu(tmp_path) / "sync" / "kitchen_0001"
    for name in ("rgb_00046.jpg", "rgb_00047.jpg", "._rgb_00045.jpg", "._sync_depth_00045.png"):
        (room / name).touch()
    data = open_data(f"nyu:{tmp_path}", "train")
    assert len(data) == 1
    assert data.notes == (
        f"skipped in {tmp_path / 'sync'}, images without depth: 2 (kitchen_0001/rgb_00046.jpg,"
        " kitchen_0001/rgb_00047.jpg)",
    )

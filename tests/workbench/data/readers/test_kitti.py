from pathlib import Path

import pytest
import torch

import layouts
from dysample.workbench.data.catalog import open_data


def test_both_cameras_in_256ths_of_a_metre(tmp_path: Path) -> None:
    data = open_data(f"kitti:{layouts.kitti(tmp_path)}", "val")
    drive = tmp_path / "2011_10_03" / "2011_10_03_drive_0047_sync"
    images = [drive / camera / "data" / "0000000005.png" for camera in ("image_02", "image_03")]
    assert [item.image for item in data.items] == images
    _, depth = data[0]
    assert depth.dtype == torch.float32
    assert depth[:, 0].tolist() == [0, 0, 1, 1, 78.125, 78.125]


def test_no_depth(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match=r"val must hold DRIVE/proj_depth/groundtruth/image_02/"):
        open_data(f"kitti:{tmp_path}", "val")

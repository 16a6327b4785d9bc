from pathlib import Path

import torch

from dysample.workbench.data.catalog import open_data
from support import layouts
from support.refusals import refused


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
    with refused(r"val must hold DRIVE/proj_depth/groundtruth/image_02/"):
        open_data(f"kitti:{tmp_path}", "val")


def test_raw_drives_as_jpeg(tmp_path: Path) -> None:
    layouts.kitti(tmp_path)
    place = tmp_path / "2011_10_03" / "2011_10_03_drive_0047_sync" / "image_02" / "data"
    (place / "0000000005.png").unlink()
    layouts.write_image(place / "0000000005.jpg")
    data = open_data(f"kitti:{tmp_path}", "val")
    assert [item.image.name for item in data.items] == ["0000000005.jpg", "0000000005.png"]
    assert data[0][0].shape == (3, 6, 8)


def test_frames_without_depth_are_counted(tmp_path: Path) -> None:
    layouts.kitti(tmp_path)
    drive = tmp_path / "2011_10_03" / "2011_10_03_drive_0047_sync"
    (drive / "image_02" / "data" / "0000000004.png").touch()
    (drive / "image_02" / "data" / "._0000000005.png").touch()
    depths = tmp_path / "val" / drive.name / "proj_depth" / "groundtruth" / "image_02"
    (depths / "._0000000005.png").touch()
    data = open_data(f"kitti:{tmp_path}", "val")
    assert len(data) == 2
    path = "2011_10_03/2011_10_03_drive_0047_sync/image_02/data/0000000004.png"
    assert data.notes == (f"skipped in {tmp_path}, images of val without depth: 1 ({path})",)

from pathlib import Path

import torch

from dysample.workbench.data.catalog import open_data
from support import layouts


def test_objects(tmp_path: Path) -> None:
    data = open_data(f"pennfudan:{layouts.pennfudan(tmp_path)}", "train")
    _, target = data[2]
    assert target["boxes"].tolist() == [[1, 2, 3, 5], [4, 2, 7, 5]]
    assert target["labels"].tolist() == [1, 1]
    assert target["area"].tolist() == [6, 9]
    assert target["iscrowd"].tolist() == [0, 0]
    assert target["image_id"] == 2
    expected = torch.zeros(2, 6, 8, dtype=torch.uint8)
    expected[0, 2:5, 1:3] = 1
    expected[1, 2:5, 4:7] = 1
    assert torch.equal(target["masks"], expected)
    assert data.classes.names == ("pedestrian",)


def test_image_without_a_pedestrian(tmp_path: Path) -> None:
    _, target = open_data(f"pennfudan:{layouts.pennfudan(tmp_path)}", "train")[0]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, 6, 8)
    assert target["labels"].shape == target["area"].shape == (0,)


def test_every_fifth_image_is_for_validation(tmp_path: Path) -> None:
    layouts.pennfudan(tmp_path)
    names = {
        split: [item.image.stem for item in open_data(f"pennfudan:{tmp_path}", split).items]
        for split in ("train", "val")
    }
    assert names["val"] == ["Ped00004", "Ped00009"]
    assert len(names["train"]) == 8
    assert not set(names["train"]) & set(names["val"])


def test_the_other_layout(tmp_path: Path) -> None:
    for i in range(5):
        layouts.write_image(tmp_path / "images" / f"{i}.jpg")
        layouts.write_png(tmp_path / "masks" / f"{i}.png", layouts.rows(0, 1, 2))
    _, target = open_data(f"pennfudan:{tmp_path}", "val")[0]
    assert target["boxes"].tolist() == [[0, 2, 8, 4], [0, 4, 8, 6]]

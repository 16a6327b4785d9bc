from pathlib import Path

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.readers.voc import CLASSES
from support import layouts
from support.refusals import refused


def test_listed_images_with_palette_indices(tmp_path: Path) -> None:
    data = open_data(f"voc:{layouts.voc(tmp_path)}", "train")
    assert [item.image.stem for item in data.items] == ["2007_000032", "2007_000039"]
    assert data[0][1][:, 0].tolist() == [0, 0, 15, 15, 255, 255]


def test_classes() -> None:
    assert CLASSES.names[15] == "person"
    assert len(CLASSES.names) == 21
    assert CLASSES.palette is not None
    # The development kit's colours of aeroplane, person and tvmonitor
    assert [CLASSES.palette[i] for i in (1, 15, 20)] == [(128, 0, 0), (192, 128, 128), (0, 64, 128)]


def test_empty_list(tmp_path: Path) -> None:
    layouts.voc(tmp_path)
    listed = tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"
    listed.write_text("\n")
    with refused(r"list .*val.txt must name images, but is empty"):
        open_data(f"voc:{tmp_path}", "val")


def test_name_that_is_listed_twice(tmp_path: Path) -> None:
    listed = layouts.voc(tmp_path) / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"
    listed.write_text("2007_000033\n2007_000033\n")
    with refused(r"annotation .*2007_000033.png must belong to one image, but is shared by"):
        open_data(f"voc:{tmp_path}", "val")

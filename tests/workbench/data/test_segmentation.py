"""Every semantic layout can be trained on; CamVid's own file has the details."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dysample.workbench.data.catalog import READERS, open_data
from dysample.workbench.data.segmentation import describe_segmentation, load_segmentation
from layouts import LAYOUTS

SEMANTIC = sorted(name for name, reader in READERS.items() if reader.kind == "semantic")


@pytest.mark.parametrize("name", SEMANTIC)
def test_whole_data_in_memory(tmp_path: Path, tiny: Callable, name: str) -> None:
    data = f"{name}:{LAYOUTS[name](tmp_path)}"
    train, val, about = load_segmentation(
        data, tiny(data, size=48, train_frames=None, val_frames=None)
    )
    assert (about["name"], about["height"], about["width"]) == (name, 48, 64)
    for split, found in (("train", train), ("val", val)):
        on_disk = open_data(data, split)
        assert found.classes == on_disk.classes.names == tuple(about["classes"])
        assert found.images.shape == (len(on_disk), 3, 48, 64)
        for labels, (_, expected) in zip(found.labels, on_disk):
            # Eight times as large: the middle of each block is the pixel that it was.
            assert labels[4::8, 4::8].tolist() == expected.tolist()


def test_other_kinds(tmp_path: Path, tiny: Callable) -> None:
    data = f"nyu:{LAYOUTS['nyu'](tmp_path)}"
    with pytest.raises(ValueError, match=r"must hold semantic labels, but nyu has none"):
        describe_segmentation(data, tiny(data))


def test_unknown_name(tmp_path: Path, tiny: Callable) -> None:
    with pytest.raises(ValueError, match=r"`data` \(='vok:/'\) must start with one of ade20k,"):
        describe_segmentation("vok:/", tiny("vok:/"))

from pathlib import Path

import pytest

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.panoptic import instances, semantic_labels
from dysample.workbench.data.targets import PanopticTarget
from support import layouts

CAR, CAT, SKY = 0, 1, 2


@pytest.fixture
def target(tmp_path: Path) -> PanopticTarget:
    """Rows 0-1 void, 2-3 sky, 4-5 a cat on the left and a crowd of cars on the right."""
    return open_data(f"coco_panoptic:{layouts.coco_panoptic(tmp_path)}", "val")[0][1]


def test_semantic_labels(target: PanopticTarget) -> None:
    labels = semantic_labels(target)
    assert labels[:, 0].tolist() == [255, 255, SKY, SKY, CAT, CAT]
    assert labels[5].tolist() == [CAT] * 4 + [CAR] * 4


def test_instances(target: PanopticTarget) -> None:
    objects = instances(target, things=[CAR, CAT])
    found = {int(label): i for i, label in enumerate(objects["labels"])}
    assert sorted(found) == [1, 2]
    assert objects["boxes"][found[2]].tolist() == [0, 4, 4, 6]
    assert objects["boxes"][found[1]].tolist() == [4, 4, 8, 6]
    assert objects["area"].tolist() == [8, 8]
    assert objects["iscrowd"][found[1]] == 1
    assert objects["masks"][found[2]].sum() == objects["masks"][found[2]][4:, :4].sum() == 8


def test_segments_that_a_crop_removed_are_no_objects(target: PanopticTarget) -> None:
    target["segments"] = target["segments"][:5, :4]
    objects = instances(target, things=[CAR, CAT])
    assert objects["labels"].tolist() == [2]
    assert objects["boxes"].tolist() == [[0, 4, 4, 5]]
    target["segments"] = target["segments"][:4]
    assert instances(target, things=[CAR, CAT])["boxes"].shape == (0, 4)

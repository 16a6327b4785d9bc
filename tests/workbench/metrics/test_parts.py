from collections.abc import Callable

import pytest
import torch

from dysample.workbench.metrics.parts import measure_parts
from dysample.workbench.tasks.by_name import task_class


@pytest.mark.parametrize("name", ["semantic", "depth", "detection", "panoptic"])
def test_parts_are_evaluations_of_some_images(name: str, tiny: Callable) -> None:
    settings = tiny(task=name, val_frames=12)
    kind = task_class(name)
    about = kind.describe("scenes", settings)
    images = kind.load("scenes", settings)[1]
    task = kind(
        kind.build_model("bilinear", {}, about, settings, seed=0), about, settings, 0, "run"
    ).eval()
    task.results = {"kept": 1}
    found = measure_parts(task, images)
    main = list(kind.measures)[:2]
    assert list(found) == main
    assert all(len(values) == 10 for values in found.values())
    # Twelve images in ten parts: two parts of two come first.
    for number, part in ((0, [0, 1]), (1, [2, 3]), (2, [4]), (9, [11])):
        task.reset_metrics()
        with torch.no_grad():
            task.update(images.batch(torch.tensor(part)))
        expected = {key: float(value) for key, value in task.compute().items() if key in main}
        for key in main:
            got = found[key][number]
            assert got == pytest.approx(expected[key], rel=1e-4) or (
                got is None and expected[key] != expected[key]
            )
    assert task.results == {"kept": 1}  # those of the whole evaluation


def test_fewer_images_than_parts(tiny: Callable) -> None:
    settings = tiny(val_frames=3)
    kind = task_class("semantic")
    about = kind.describe("scenes", settings)
    model = kind.build_model("nearest", {}, about, settings, seed=0)
    found = measure_parts(kind(model, about, settings, 0, "run"), kind.load("scenes", settings)[1])
    assert [len(values) for values in found.values()] == [3, 3]

import io

import pytest
from rich.console import Console

from dysample.workbench.headline import headline, print_metrics
from dysample.workbench.record import Measure

MEASURES = {
    "miou": Measure("mIoU", "mIoU"),
    "boundary_iou": Measure("boundary IoU", "b."),
    "third": Measure("third", "3", higher_is_better=False),
}


def test_the_two_main_metrics_in_a_line() -> None:
    metrics = {"miou": 0.12349, "boundary_iou": None, "third": 1.0}
    assert headline(MEASURES, metrics) == "mIoU 0.123, boundary IoU -"


def test_every_metric_and_those_by_class() -> None:
    text = io.StringIO()
    metrics = {
        "miou": 0.5,
        "boundary_iou": 0.25,
        "third": None,
        "class_iou": {"wall": 0.75, "pole": None},
        "class_box_ap": {"wall": 0.125, "pole": 0.0},
    }
    print_metrics(MEASURES, metrics, "semantic on scenes", Console(file=text, width=60))
    *lines, last = text.getvalue().splitlines()
    assert last == "-: not in the labels, and left out of means over classes"
    assert [line.split() for line in lines] == [
        ["semantic", "on", "scenes"],
        ["measure", "value"],
        ["mIoU", "0.500"],
        ["boundary", "IoU", "0.250"],
        ["third", "-"],
        ["class", "iou", "box", "ap"],
        ["wall", "0.750", "0.125"],
        ["pole", "-", "0.000"],
    ]


def test_without_classes() -> None:
    text = io.StringIO()
    metrics = {"miou": 0.5, "boundary_iou": 0.25, "third": 0.0}
    print_metrics(MEASURES, metrics, "title", Console(file=text, width=60))
    assert "class" not in text.getvalue()


@pytest.mark.parametrize("name", ["[bold]x[/nope]", "[/]", ":smile:"])
def test_names_of_classes_are_text(name: str) -> None:
    text = io.StringIO()
    metrics = {"miou": 0.5, "boundary_iou": 0.25, "third": 1.0, "class_iou": {name: 0.75}}
    print_metrics(MEASURES, metrics, f"semantic, {name}", Console(file=text, width=60))
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert lines[0] == ["semantic,", name]
    assert lines[-1] == [name, "0.750"]


def test_brackets_in_names_and_messages_are_text() -> None:
    text = io.StringIO()
    console = Console(file=text, width=100)
    measures = {"a": Measure("[red]A[/x]", "a"), "b": Measure(":smile:", "b")}
    metrics = {"a": 0.5, "b": None, "class_iou": {"[bold]x[/nope]": 0.25}}
    print_metrics(measures, metrics, "[enforce fail at x.cc:1] . [/a]", console)
    for part in ("[enforce fail at x.cc:1] . [/a]", "[red]A[/x]", ":smile:", "[bold]x[/nope]"):
        assert part in text.getvalue()

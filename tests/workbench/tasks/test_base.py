"""The training loop that all tasks share, and how they are found."""

import pytest
import torch
from torch import Tensor, nn

from dysample.workbench.settings import TASKS, settings_for
from dysample.workbench.tasks.base import Measure, Task, plain
from dysample.workbench.tasks.by_name import task_class
from support.refusals import refused


class Dice(Task):
    """Draws a number; two losses."""

    measures = {"pips": Measure("pips", "pips")}  # noqa: RUF012

    kind = "depth"
    batch = build_model = update = compute = lambda *_: None

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        draw = torch.rand(())
        return {"drawn": draw, "given": batch.sum()}


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> Dice:
    task = Dice(nn.Linear(1, 1), {}, settings_for("depth", "scenes"), 3, "run")
    task.logged = {}
    monkeypatch.setattr(task, "log", lambda key, value, **_: task.logged.update({key: value}))
    monkeypatch.setattr(task, "log_dict", lambda values, **_: task.logged.update(values))
    return task


def test_the_loss_is_the_sum_of_its_parts_and_each_is_logged(dice: Dice) -> None:
    loss = dice.training_step(torch.ones(2), 0)
    assert loss == dice.logged["drawn"] + 2
    assert dice.logged.keys() == {"loss", "drawn", "given"}


def test_what_a_step_draws_depends_on_seed_and_step_alone(
    dice: Dice, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dice.training_step(torch.zeros(1), 0)
    torch.rand(7)
    assert dice.training_step(torch.zeros(1), 0) == first
    with monkeypatch.context() as patch:
        patch.setattr(Dice, "global_step", 1)
        assert dice.training_step(torch.zeros(1), 0) != first
    dice.seed = 4
    assert dice.training_step(torch.zeros(1), 0) != first


def test_each_part_of_a_batch_draws_its_own(dice: Dice) -> None:
    alone = dice.training_step(torch.zeros(1), 5)
    dice.place = (2, 0, 1)
    drawn = [dice.training_step(torch.zeros(1), index).item() for index in range(4)]
    assert drawn[0] == drawn[2] == alone  # the first part
    assert drawn[1] == drawn[3] != alone
    dice.place = (2, 1, 2)
    assert dice.training_step(torch.zeros(1), 0) == drawn[1]  # the second of four
    assert dice.training_step(torch.zeros(1), 1).item() not in drawn


def test_an_undefined_number_becomes_none() -> None:
    nested = {"a": torch.tensor(0.5), "b": {"c": torch.tensor(torch.nan), "d": 1}}
    assert plain(nested) == {"a": 0.5, "b": {"c": None, "d": 1.0}}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_class_with_two_main_measures(name: str) -> None:
    kind = task_class(name)
    assert issubclass(kind, Task)
    assert len(kind.measures) >= 2
    assert kind.__name__.lower() == f"{name}task"


def test_unknown_task() -> None:
    with refused(r"`task` \(='tracking'\) must be one of semantic, "):
        task_class("tracking")

import numpy as np
import pytest
import torch

from dysample.workbench.data.batches import EvaluationBatches, TrainingBatches
from dysample.workbench.data.scene_set import SceneSet
from dysample.workbench.data.scenes import Scenes
from dysample.workbench.tasks.semantic import SemanticTask


@pytest.fixture
def numbered() -> SceneSet:
    """Seven images whose left half holds their number and whose right half holds 100 more."""
    level = np.arange(7, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(4, 2)
    level[..., 2:] += 100
    frames = Scenes(level[..., None].repeat(3, -1), level * np.float32(1), level, level)
    return SceneSet("semantic", frames, SemanticTask.batch)


def _numbers(labels: torch.Tensor) -> list[int]:
    return (labels[:, 0, 0] % 100).tolist()


def test_a_batch_depends_on_seed_and_number_alone(numbered: SceneSet) -> None:
    run = TrainingBatches(numbered, 3, 9, seed=1)
    for i, (images, labels) in enumerate(run):
        again = TrainingBatches(numbered, 3, 9, seed=1).part(i)
        assert torch.equal(images, again[0])
        assert torch.equal(labels, again[1])
    other = TrainingBatches(numbered, 3, 9, seed=2)
    assert any(not torch.equal(run.part(i)[1], other.part(i)[1]) for i in range(9))


def test_every_pass_holds_each_image_once_and_batches_are_full(numbered: SceneSet) -> None:
    seen = [n for _, labels in TrainingBatches(numbered, 3, 7, seed=0) for n in _numbers(labels)]
    assert len(seen) == 21
    passes = [seen[i : i + 7] for i in (0, 7, 14)]
    assert all(sorted(part) == list(range(7)) for part in passes)
    assert passes[0] != passes[1]


def test_batch_larger_than_the_set(numbered: SceneSet) -> None:
    _, labels = TrainingBatches(numbered, 17, 2, seed=0).part(1)
    assert len(labels) == 17


def test_mirrors_image_and_label_together(numbered: SceneSet) -> None:
    flipped = 0
    for images, labels in TrainingBatches(numbered, 7, 20, seed=0):
        assert torch.equal(
            ((images + 1) * 127.5).round().long(), labels[:, None].expand(images.shape)
        )
        flipped += int((labels[:, 0, 0] >= 100).sum())
    assert 40 < flipped < 100  # of 140


def test_resumes_where_it_was(numbered: SceneSet) -> None:
    whole = [labels for _, labels in TrainingBatches(numbered, 3, 6, seed=0)]
    first = TrainingBatches(numbered, 3, 6, seed=0)
    iterator = iter(first)
    for _ in range(2):
        next(iterator)
    second = TrainingBatches(numbered, 3, 6, seed=0)
    second.load_state_dict(first.state_dict())
    rest = [labels for _, labels in second]
    assert len(rest) == 4
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest))


def test_evaluation_sees_each_image_once_in_order(numbered: SceneSet) -> None:
    batches = EvaluationBatches(numbered, batch_size=3)
    seen = list(batches)
    assert len(seen) == len(batches) == 3
    assert torch.cat([labels for _, labels in seen]).equal(
        torch.stack([numbered.label(i) for i in range(7)]).long()
    )
    assert torch.cat([images for images, _ in seen]).shape == (7, 3, 2, 4)


def test_parts_and_processes_see_the_batches_of_one_process(numbered: SceneSet) -> None:
    whole = [_numbers(labels) for _, labels in TrainingBatches(numbered, 8, 3, seed=0)]
    streams = [
        [_numbers(labels) for _, labels in TrainingBatches(numbered, 8, 3, 0, 2, process, 2)]
        for process in (0, 1)
    ]
    assert [len(stream) for stream in streams] == [6, 6]
    for step in range(3):
        parts = [streams[process][2 * step + part] for part in (0, 1) for process in (0, 1)]
        assert [number for part in parts for number in part] == whole[step]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_evaluation_is_split_without_duplicates(numbered: SceneSet, processes: int) -> None:
    parts = [
        [_numbers(labels) for _, labels in EvaluationBatches(numbered, p, processes, batch_size=2)]
        for p in range(processes)
    ]
    # The same batches, in the same order when the processes' parts are joined.
    assert [batch for part in parts for batch in part] == [[0, 1], [2, 3], [4, 5], [6]]
    assert all(parts)


def test_evaluation_of_few_images(numbered: SceneSet) -> None:
    parts = [list(EvaluationBatches(numbered, p, 3)) for p in range(3)]
    assert sum(len(labels) for part in parts for _, labels in part) == 7
    assert all(parts)
    with pytest.raises(ValueError, match=r"`devices` \(=8 in all\) must not exceed 7 val images"):
        EvaluationBatches(numbered, 0, 8)

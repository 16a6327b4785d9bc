"""A training that is to go on from a whole file that holds something else."""

from collections.abc import Callable
from pathlib import Path

import torch

TINY = [
    "--settings.size=32", "--settings.width=8", "--settings.train_frames=9",
    "--settings.val_frames=4", "--settings.steps=4", "--settings.batch_size=2",
    "--training.validate_every=2", "--training.accelerator=cpu",
]  # fmt: skip


def _put(checkpoint: dict, path: tuple, value: object) -> None:
    for key in path[:-1]:
        checkpoint = checkpoint[key]
    checkpoint[path[-1]] = value


def test_a_whole_checkpoint_with_a_state_of_another_form(
    tmp_path: Path, dysample: Callable
) -> None:
    output = tmp_path / "out"
    command = ["train", "semantic_scenes", *TINY, "--output", output]
    assert dysample(*command).code == 0
    (output / "results.jsonl").unlink()
    path = output / "last.ckpt"
    whole = torch.load(path, weights_only=True)
    callbacks = list(whole["callbacks"])
    keeper, stopwatch, curve = (
        next(key for key in callbacks if name in key)
        for name in ("Checkpoints", "Stopwatch", "LearningCurve")
    )
    for place, value in (
        (("optimizer_states",), [{}]),
        (("optimizer_states", 0, "param_groups"), []),
        (("lr_schedulers",), None),
        (("loops",), []),
        (("loops", "fit_loop", "epoch_progress"), 3),
        (("state_dict",), {}),
        (("callbacks", keeper, "best"), "high"),
        (("callbacks", stopwatch), {"minutes": 1}),
        (("callbacks", stopwatch, "seconds"), "9 s"),
        (("callbacks", curve, "losses"), 5),
        (("callbacks", curve, "stretch"), [None]),
    ):
        changed = torch.load(path, weights_only=True)
        _put(changed, place, value)
        torch.save(changed, path)
        ended = dysample(*command, "--resume")
        torch.save(whole, path)
        assert ended.code == 2, (place, value)
        assert ended.stderr.startswith(
            f"dysample: error: checkpoint {path} must hold a state to go on from, but there is a "
        ), (place, value)
        assert ended.stderr.count("\n") == 1
        assert not (output / "results.jsonl").exists()
    assert dysample(*command, "--resume").code == 0

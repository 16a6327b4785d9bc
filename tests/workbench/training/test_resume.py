"""A training that is to go on from a whole file that holds something else."""

from collections.abc import Callable
from pathlib import Path

import torch

TINY = [
    "--size=32", "--width=8", "--train-frames=9",
    "--val-frames=4", "--steps=4", "--batch-size=2",
    "--validate-every=2", "--accelerator=cpu",
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

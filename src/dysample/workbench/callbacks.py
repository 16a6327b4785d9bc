"""What a run does besides training: tell its progress, and keep its time."""

import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class Progress(Callback):
    """Calls ``tell(step, steps)`` after each step, counted from the start of the whole run."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self.tell = tell

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *rest: Any) -> None:
        """Tell."""
        self.tell(trainer.global_step, trainer.max_steps)


class Stopwatch(Callback):
    """Seconds spent in training, with those of interrupted attempts up to their checkpoint."""

    def __init__(self) -> None:
        self._before = 0.0
        self._start: float | None = None
        self._end: float | None = None

    @property
    def seconds(self) -> float:
        """Up to now, or to the end of training."""
        if self._start is None:
            return self._before
        return self._before + (self._end or time.perf_counter()) - self._start

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start."""
        self._start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop."""
        self._end = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self._before = state_dict["seconds"]

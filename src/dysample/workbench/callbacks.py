"""What a run does besides training: tell its progress, and keep its time."""

import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn


class Progress(Callback):
    """Calls ``tell(step, steps)`` after each step, counted from the start of the whole run."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self.tell = tell

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *rest: Any) -> None:
        """Tell."""
        self.tell(trainer.global_step, trainer.max_steps)


class Stopwatch(Callback):
    """Seconds spent in training, with those of interrupted attempts up to their checkpoint.

    Evaluations on the way are not counted; `evaluation` holds the seconds of the last one.
    """

    def __init__(self) -> None:
        self.evaluation = 0.0
        self._seconds = 0.0
        self._start: float | None = None
        self._evaluation_start = 0.0

    @property
    def seconds(self) -> float:
        """Up to now, or to the end of training."""
        running = 0.0 if self._start is None else time.perf_counter() - self._start
        return self._seconds + running

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start."""
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop while the model is evaluated."""
        self._stop()
        self._evaluation_start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Go on."""
        self.evaluation = time.perf_counter() - self._evaluation_start
        if trainer.state.fn == TrainerFn.FITTING:
            self._start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop."""
        self._stop()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self._seconds = state_dict["seconds"]

    def _stop(self) -> None:
        self._seconds, self._start = self.seconds, None

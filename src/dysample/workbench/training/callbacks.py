"""Callbacks: progress, training time and learning curve."""

import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from dysample.workbench.record import Curve


class StepReporter(Callback):
    """Call ``tell(step, steps)`` after each step, counted from the start of the run."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self.tell = tell

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *rest: Any) -> None:
        """Report the step."""
        self.tell(trainer.global_step, trainer.max_steps)


class Stopwatch(Callback):
    """Seconds of training, including interrupted attempts up to their last checkpoint.

    Validation during training is not counted; `evaluation` holds the seconds of the last one.
    """

    def __init__(self) -> None:
        self.evaluation = 0.0
        self._seconds = 0.0
        self._start: float | None = None
        self._evaluation_start = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        running = 0.0 if self._start is None else time.perf_counter() - self._start
        return self._seconds + running

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Pause the clock during validation."""
        self._stop()
        self._evaluation_start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Continue after validation."""
        self.evaluation = time.perf_counter() - self._evaluation_start
        if trainer.state.fn == TrainerFn.FITTING:
            self._start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop the clock."""
        self._stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the state for the checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from the checkpoint."""
        self._seconds = float(state_dict["seconds"])

    def _stop(self) -> None:
        self._seconds, self._start = self.seconds, None


class LearningCurve(Callback):
    """The training loss, averaged over equal intervals of steps.

    With several processes it is the loss of rank 0.

    Args:
        steps: of the run.
        points: approximate number of points on the curve.
    """

    def __init__(self, steps: int, points: int = 50) -> None:
        self.every = max(1, steps // points)
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._stretch: list[float] = []

    @property
    def curve(self) -> Curve:
        """The last step of each interval, and the interval's mean loss with four digits."""
        return Curve(tuple(self._steps), tuple(float(f"{loss:.4g}") for loss in self._losses))

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, *rest: Any
    ) -> None:
        """Record the loss."""
        self._stretch.append(float(outputs["loss"].detach()) * trainer.accumulate_grad_batches)
        step = trainer.global_step
        if step and step % self.every == 0 and step not in self._steps[-1:]:
            self._steps.append(step)
            self._losses.append(sum(self._stretch) / len(self._stretch))
            self._stretch = []

    def state_dict(self) -> dict[str, Any]:
        """Return the state for the checkpoint."""
        return {"steps": self._steps, "losses": self._losses, "stretch": self._stretch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from the checkpoint."""
        self._steps = [int(step) for step in state_dict["steps"]]
        self._losses = [float(loss) for loss in state_dict["losses"]]
        self._stretch = [float(loss) for loss in state_dict["stretch"]]

"""Progress bars of a training."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import TaskID

from dysample.workbench.headline import headline, say
from dysample.workbench.tasks.base import Task
from dysample.workbench.terminal import bars


class ProgressBars(Callback):
    """Show a bar with the loss, another one for validation, and a line with its metrics.

    Without a terminal only the lines are printed. Only rank 0 prints.

    Args:
        console: to print to.
    """

    def __init__(self, console: Console) -> None:
        self.progress = bars(console)
        self._training: TaskID | None = None
        self._evaluation: TaskID | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the bar, from the step at which the run starts or resumes."""
        if trainer.is_global_zero:
            self._training = self.progress.add_task("training", total=trainer.max_steps)
            self.progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, *rest: Any
    ) -> None:
        """Advance the bar."""
        if self._training is not None:
            description = f"training, loss {float(outputs['loss']):.3f}"
            step = trainer.global_step
            self.progress.update(self._training, completed=step, description=description)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Remove the bar."""
        self._stop()

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Show a bar for the validation."""
        if trainer.is_global_zero:
            total = sum(trainer.num_val_batches)
            self._evaluation = self.progress.add_task("evaluation", total=total)
            self.progress.start()

    def on_validation_batch_end(self, *rest: Any) -> None:
        """Advance the validation bar."""
        if self._evaluation is not None:
            self.progress.advance(self._evaluation)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Remove its bar, and print the metrics."""
        if self._evaluation is None:
            return
        self.progress.remove_task(self._evaluation)
        self._evaluation = None
        assert isinstance(module, Task)
        line = f"step {trainer.global_step}: {headline(module.measures, module.results)}"
        say(self.progress.console, line)
        if self._training is None:
            self.progress.stop()

    def on_exception(self, *rest: Any) -> None:
        """Restore the terminal."""
        self._stop()

    def _stop(self) -> None:
        self._training = None
        self.progress.stop()

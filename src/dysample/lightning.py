"""A Lightning callback that watches the upsamplers of a model in training."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from dysample.calls import Call, keep_calls
from dysample.diagnosis import Reading, read_call
from dysample.numeric import check_int


class UpsamplerMonitor(Callback):
    """Log offsets and kernel entropies, and warn once for each upsampler with a bad value.

    Every so many batches the calls of that batch are read, see `dysample.diagnose`, and logged as
    ``upsampler/SITE/mean_offset`` and so on, to whatever logger the trainer has. `readings` holds
    the last ones.

    Args:
        every: batches between two readings.

    Raises:
        TypeError, ValueError: `every` is not a positive integer.
    """

    def __init__(self, every: int = 50) -> None:
        self.every = check_int("every", every, 1)
        self.readings: tuple[Reading, ...] = ()
        self._calls: dict[str, Call] = {}
        self._remove: Callable[[], None] | None = None
        self._warned: set[str] = set()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Record the upsamplers' calls in this batch, if it is one to be logged."""
        if batch_idx % self.every == 0:
            self._remove = keep_calls(pl_module, self._keep)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log the recorded calls."""
        if self._remove is None:
            return
        self._stop()
        self.readings = tuple(map(read_call, self._calls.values()))
        self._calls = {}
        for reading in self.readings:
            pl_module.log_dict(
                {
                    f"upsampler/{reading.site}/{name}": value
                    for name in ("mean_offset", "max_offset", "outside", "entropy")
                    if (value := getattr(reading, name)) is not None
                }
            )
            if reading.warning and reading.site not in self._warned:
                self._warned.add(reading.site)
                warnings.warn(str(reading), stacklevel=2)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Remove the hooks."""
        self._stop()

    def _keep(self, call: Call) -> None:
        self._calls[call.site] = call

    def _stop(self) -> None:
        if self._remove is not None:
            self._remove()
            self._remove = None

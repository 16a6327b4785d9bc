"""A Lightning callback that watches the upsamplers of a model in training."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from dysample.calls import Call, keep_calls
from dysample.diagnosis import Reading, read_call
from dysample.numeric import check_int


class UpsamplerMonitor(Callback):
    """Log offsets and kernel entropies, and warn once for each upsampler with a bad value.

    Every so many batches the calls of that batch are read, see `dysample.diagnose`, and logged as
    ``upsampler/SITE/mean_offset`` and so on, to whatever logger the trainer has; of an upsampler
    that is called more than once the last call is logged. `readings` holds the last batch's, of
    every call. What is compiled runs eagerly in those batches.

    Args:
        every: batches between two readings.

    Raises:
        TypeError, ValueError: `every` is not a positive integer.
    """

    def __init__(self, every: int = 50) -> None:
        self.every = check_int("every", every, 1)
        self.readings: tuple[Reading, ...] = ()
        self._open: list[Reading] = []
        self._kept = ExitStack()
        self._warned: set[str] = set()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Read the calls of this batch, if it is its turn."""
        self._stop()
        if batch_idx % self.every == 0:
            self._kept.enter_context(keep_calls(pl_module, self._read))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log what was read."""
        if batch_idx % self.every:
            return
        self.readings = tuple(self._open)
        self._stop()
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

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave no hooks behind: a batch that ends the epoch at its start has no end."""
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Remove the hooks."""
        self._stop()

    def _read(self, call: Call) -> None:
        self._open.append(read_call(call))

    def _stop(self) -> None:
        self._kept.close()
        self._open = []

"""Atomic checkpoints."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from dysample.model_files import write_file
from dysample.workbench.tasks.base import Task

LAST = "last.ckpt"
BEST = "best.ckpt"

_OF_A_RUN = {"run", "about", "state_dict"}
_TO_GO_ON = {"global_step", "optimizer_states", "lr_schedulers", "loops", "callbacks"}
_NOT_OF_THE_FILE = (OSError, MemoryError, torch.cuda.OutOfMemoryError)


class WholeFileIO(TorchCheckpointIO):
    """Write checkpoints atomically: a temporary file is flushed to the disk, then renamed.

    Lightning renames without the flush, so a power cut may leave a file without its contents.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Replace the file at `path`."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(checkpoint, target)


class Checkpoints(Checkpoint):
    """Save the last state of a run, and the best one if it is evaluated during training.

    Not Lightning's ModelCheckpoint: it saves a step before its evaluation, so a run that is stopped
    between the two would resume without that evaluation. Here an evaluated step is saved
    afterwards.

    Args:
        folder: for `LAST` and `BEST`.
        every: optimiser steps between saves; the last step is saved in any case.
        validate_every: optimiser steps between evaluations; None keeps no best state.
        measure: key of the metric by which states are compared.
        higher_is_better: its direction.
        spec: from `RunSpec.to_dict`, stored in every checkpoint: how to build its model.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        validate_every: int | None,
        measure: str,
        higher_is_better: bool,
        spec: dict[str, Any],
    ) -> None:
        self.folder = folder
        self.every = every
        self.validate_every = validate_every
        self.measure = measure
        self.sign = 1 if higher_is_better else -1
        self.spec = spec
        self.best: float | None = None
        self._saved = -1
        self._began = False

    @contextmanager
    def restoring(self, path: Path) -> Iterator[None]:
        """Add `path` to errors that a resumed training raises before its first step.

        Raises:
            ValueError: the file is intact, but Lightning, torch or a callback cannot use its
                contents.
        """
        try:
            yield
        except Exception as error:
            if self._began or isinstance(error, _NOT_OF_THE_FILE):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise ValueError(
                f"checkpoint {path} must hold a state to go on from, but there is a {reason}"
            ) from error

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Note that everything is restored."""
        self._began = True

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *rest: Any) -> None:
        """Save at every interval, and after the last step."""
        step = trainer.global_step
        if step == self._saved or (step % self.every and step != trainer.max_steps):
            return  # the former: between accumulation steps
        if self.validate_every is None or step % self.validate_every:
            self._save_last(trainer)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save the best state, then the last: only then may a resumed run skip this evaluation."""
        if self.validate_every is None:
            return
        assert isinstance(module, Task)
        value: float | None = module.results[self.measure]
        if value is not None and (self.best is None or self.sign * (value - self.best) > 0):
            self.best = value
            trainer.save_checkpoint(self.folder / BEST)
        if trainer.state.fn == TrainerFn.FITTING:
            self._save_last(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the run's description: the model can be built from the file alone."""
        checkpoint["spec"] = self.spec

    def state_dict(self) -> dict[str, Any]:
        """Return the best metric."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best metric."""
        best = state_dict["best"]
        self.best = None if best is None else float(best)

    def _save_last(self, trainer: Trainer) -> None:
        self._saved = trainer.global_step
        trainer.save_checkpoint(self.folder / LAST)


def find_checkpoint(path: Path) -> Path:
    """Return the path of a checkpoint; in a run's folder the best one, or the last without a best.

    Raises:
        FileNotFoundError: there is no such file, or the folder has no checkpoint.
    """
    if path.is_dir():
        found = [path / name for name in (BEST, LAST) if (path / name).is_file()]
        if not found:
            raise FileNotFoundError(f"folder {path} must hold {BEST} or {LAST}, but has neither")
        return found[0]
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    return path


def read_checkpoint(path: Path, run: str | None = None) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Args:
        path: file.
        run: id of the run that it must belong to; None for any.

    Raises:
        ValueError: the file cannot be read, is not a checkpoint of a run, or is of another run.
        FileNotFoundError: no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f"checkpoint {path} does not exist")
    try:
        _check_bytes(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        advice = "" if run is None else " (delete it)"  # then a new run begins
        raise ValueError(f"checkpoint {path} cannot be read{advice}: {reason}") from error
    if not isinstance(found, dict) or not found.keys() >= _OF_A_RUN:
        raise ValueError(f"checkpoint {path} must be one of `dysample`, but is another file")
    if run is not None and found["run"] != run:
        raise ValueError(f"checkpoint {path} must be of run {run}, but is of run {found['run']}")
    if run is not None and (lacking := _TO_GO_ON - found.keys()):
        raise ValueError(f"checkpoint {path} must hold {', '.join(sorted(lacking))} (delete it)")
    return found


def _check_bytes(path: Path) -> None:
    """Compare checksums, which torch writes but does not check."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} in it differs")

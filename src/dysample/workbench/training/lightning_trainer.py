"""Build Lightning's Trainer for a run."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.utilities import rank_zero_only

from dysample.workbench.training.checkpoints import WholeFileIO
from dysample.workbench.training_options import TrainingOptions

_HARMLESS = (
    # Evaluation comes after training, in a separate call.
    "You defined a `validation_step` but have no `val_dataloader`",
    # The CSV log is in the same folder, and an earlier attempt's checkpoint may be.
    "Checkpoint directory .* exists and is not empty",
    # Lightning 2.6 walks batches with a class that torch 2.14 is about to rename.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Metrics are the same in every process before they are logged.
    "It is recommended to use .*sync_dist=True",
    # 1x1 convolutions in channels_last: the strides differ only along axes of length 1.
    "Grad strides do not match bucket view strides",
    # Frozen encoders are in eval mode on purpose.
    r"Found \d+ module\(s\) in eval mode",
)
_STRATEGIES = {True: "ddp", False: "ddp_find_unused_parameters_true"}
LOGS = ("log", "tensorboard")
"""Folders in that of a run."""

_LOGGERS = ("lightning.pytorch", "lightning.fabric")


def make_trainer(
    steps: int,
    options: TrainingOptions,
    folder: Path | None,
    callbacks: list[Callback],
    *,
    tensorboard: bool = False,
    uses_all_parameters: bool = False,
) -> Trainer:
    """Build a trainer for one stream of batches that prints nothing itself.

    Args:
        steps: optimiser steps of the whole run.
        options: devices, precision, and how often to evaluate.
        folder: for the logs; None for none.
        callbacks: for checkpoints and progress.
        tensorboard: log for TensorBoard too, into one folder for all attempts.
        uses_all_parameters: every parameter contributes to every loss; otherwise DDP looks for
            unused ones.

    Raises:
        ValueError: devices that this machine does not have.
    """
    loggers: list[Logger] = [] if folder is None else [CSVLogger(folder, name=LOGS[0])]
    if folder is not None and tensorboard:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(folder, name="", version=LOGS[1]))
    cuda = torch.cuda.is_available() if options.accelerator == "auto" else None
    try:
        return Trainer(
            accelerator="cuda" if cuda or options.accelerator == "cuda" else "cpu",
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy="auto" if options.processes == 1 else _STRATEGIES[uses_all_parameters],
            precision=options.precision,
            max_epochs=1,  # the stream of batches is the whole run
            max_steps=steps,
            accumulate_grad_batches=options.accumulate,
            # Counted in parts of batches, over the whole stream.
            val_check_interval=(options.validate_every or steps) * options.accumulate,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # batches are cut by `TrainingBatches`
            logger=loggers or False,
            callbacks=[*callbacks, KeptHandler()],
            plugins=[WholeFileIO()],
            enable_checkpointing=folder is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=min(10, steps),
        )
    except MisconfigurationException as error:
        raise ValueError(f"`accelerator` (={options.accelerator!r}): {error}") from error


class KeptHandler(Callback):
    """Keep the SIGTERM handler that was installed when this was created.

    Lightning's handler continues to the end of the batch and then exits without an error; with
    several processes it waits for those that it has just stopped.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Put it back."""
        self._keep()

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Put it back."""
        self._keep()

    def _keep(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's notices on hardware and loop ends, and harmless warnings."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _HARMLESS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def is_first_process() -> bool:
    """Whether this process has rank 0, which writes and prints; works before there is a trainer.

    Lightning starts the other ranks by the same command, or torchrun or SLURM starts all.
    """
    # Lightning reads the rank from the environment, but without the node's rank.
    return getattr(rank_zero_only, "rank", 0) == 0 and LightningEnvironment().node_rank() == 0

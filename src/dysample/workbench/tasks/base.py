"""The base class of the tasks: one training loop, four hooks."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torchmetrics import Metric

from dysample.optim import parameter_groups
from dysample.workbench.data.disk_set import DiskSet, describe_disk, open_disk_sets
from dysample.workbench.data.sample import Sample
from dysample.workbench.data.scene_set import SceneSet, describe_scenes, load_scene_sets
from dysample.workbench.data.targets import Kind
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.frozen import FrozenEncoder
from dysample.workbench.record import Measure
from dysample.workbench.seeds import seeded
from dysample.workbench.settings import Settings, split_data


class DivergedError(ValueError):
    """A training whose loss or weights are not finite."""


class Task(LightningModule, ABC):
    """Trains a model with AdamW on a one-cycle schedule and measures it.

    A task is its class attributes and four hooks: `batch` (data), `build_model`, `losses`, and
    `update` with `compute` (metrics).

    Args:
        model: from `build_model`.
        about: the data's description, from `describe`.
        settings: of the run.
        seed: of the run.
        run: identity of the run, kept in its checkpoints.
    """

    kind: ClassVar[Kind]
    """The task's name, and that of its targets."""

    measures: ClassVar[dict[str, Measure]]
    """The numbers in `compute`'s result by which runs are compared, the two main ones first."""

    predicts_classes: ClassVar[bool] = False
    """Whether `predict_classes` gives a class map, which a record can show."""

    uses_all_parameters: ClassVar[bool] = False
    """Whether every parameter has a part in every loss; the plain head leaves some out."""

    def __init__(
        self, model: nn.Module, about: dict[str, Any], settings: Any, seed: int, run: str
    ) -> None:
        super().__init__()
        self.model = model
        self.about = about
        self.settings: Settings = settings
        self.seed = seed
        self.run = run
        self.results: dict[str, Any] = {}
        """Metrics of the last evaluation: numbers, or dictionaries of them by class."""
        self.evaluated_after: int | None = None
        """Optimiser steps before the last evaluation; None before the first one."""
        self.place = (1, 0, 1)
        """(accumulation steps, rank, world size)."""

    @classmethod
    def describe(cls, data: str, settings: Settings) -> dict[str, Any]:
        """Describe the data for a record, without rendering or decoding it.

        Args:
            data: ``"scenes"`` or ``"NAME:PATH"``.
            settings: of the run; size and frame counts matter here.

        Raises:
            ValueError: an unknown data set, one that the task cannot learn from, or frame counts
                that it does not have.
            FileNotFoundError: a folder or list is missing.
        """
        if split_data(data)[0] == "scenes":
            return describe_scenes(settings, cls.kind)
        return describe_disk(data, settings, cls.kind)

    @classmethod
    def load(
        cls, data: str, settings: Settings, progress: Callable[[int, int], None] | None = None
    ) -> tuple[SceneSet, SceneSet] | tuple[DiskSet, DiskSet]:
        """Render or open training and validation set.

        Args:
            data: ``"scenes"`` or ``"NAME:PATH"``.
            settings: of the run.
            progress: called with (done, total) while scenes are rendered, once a split.

        Raises:
            ValueError, FileNotFoundError: as `describe`.
        """
        about = cls.describe(data, settings)
        if about["name"] == "scenes":
            return load_scene_sets(about, cls.kind, cls.batch, progress, settings.held_out)
        return open_disk_sets(data, about, cls.kind, cls.batch, settings)

    @staticmethod
    @abstractmethod
    def batch(samples: list[Sample]) -> Any:
        """Collate samples, see `dysample.workbench.data.sample`, for `losses` and `update`."""

    @staticmethod
    @abstractmethod
    def build_model(
        upsampler: str, options: dict[str, Any], about: dict[str, Any], settings: Any, seed: int
    ) -> nn.Module:
        """Build the model; runs of one seed differ only in the upsamplers."""

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Compute the loss terms by name; their sum is minimised."""

    @abstractmethod
    def update(self, batch: Any) -> None:
        """Predict a batch and collect what the metrics need."""

    @abstractmethod
    def compute(self) -> dict[str, Any]:
        """Return the metrics: numbers, or dictionaries of numbers by class; NaN where undefined."""

    def predict_classes(self, batch: Any) -> Tensor:
        """Predict the class of each pixel (B, H, W), if the task has classes of pixels."""
        raise NotImplementedError(f"{type(self).__name__} predicts no classes of pixels")

    def on_fit_start(self) -> None:
        """Keep the features of a frozen encoder."""
        self.keep_features(True)

    def on_validation_start(self) -> None:
        """Keep the features of a frozen encoder."""
        self.keep_features(True)

    def teardown(self, stage: str) -> None:
        """Turn the cache of features off: exports and measurements need the encoder itself."""
        self.keep_features(False)

    def keep_features(self, kept: bool) -> None:
        """Turn the cache of a frozen encoder's features on or off; it holds them in float16."""
        for module in self.modules():
            if isinstance(module, FrozenEncoder):
                module.keep(kept)

    def on_train_start(self) -> None:
        """Record how batches are split."""
        trainer = self.trainer
        self.place = (trainer.accumulate_grad_batches, trainer.global_rank, trainer.world_size)

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Return the sum of the losses.

        Raises:
            DivergedError: the sum is not finite.
        """
        # Detectors sample boxes at random: a resumed run must sample the same ones.
        with seeded(self.seed, f"step {self.global_step}{self._part(index)}"):
            losses = self.losses(batch)
        loss = sum(losses.values())
        assert isinstance(loss, Tensor)
        if not loss.isfinite():
            raise self._diverged(f"the loss is {loss.item()}")
        # The mean over ranks; their batch sizes are equal, so their means may be averaged.
        self.log("loss", loss, batch_size=1, sync_dist=True)
        if len(losses) > 1:
            self.log_dict(losses, batch_size=1, sync_dist=True)
        return loss

    def _check_weights(self) -> None:
        """Check that the weights are finite, which after the last step no loss shows."""
        for name, weights in self.named_parameters():
            if not weights.isfinite().all():
                raise self._diverged(f"`{name}` is not finite")

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"training diverged at step {self.global_step}: {what};"
            f" {', '.join(self._causes())} can cause it"
        )

    def _causes(self) -> Iterator[str]:
        """Name the settings that can make a loss not finite, with their values."""
        settings = self.settings
        yield f"`learning_rate` (={settings.learning_rate})"
        if settings.learning_rate * settings.weight_decay > 1:
            yield f"`weight_decay` (={settings.weight_decay})"
        if self._trainer is not None and self._trainer.precision != "32-true":
            yield f"`precision` (={self._trainer.precision})"
        if settings.weights is not None:
            yield f"`weights` (={settings.weights})"
        yield f"`data` ({self.about.get('name', 'unnamed')}) with values that are not finite"

    def on_validation_epoch_start(self) -> None:
        """Start a new evaluation.

        Raises:
            DivergedError: weights that are not finite.
        """
        self._check_weights()
        self.reset_metrics()

    def reset_metrics(self) -> None:
        """Reset the metrics."""
        for module in self.modules():
            if isinstance(module, Metric):
                module.reset()

    def validation_step(self, batch: Any, index: int) -> None:
        """Update the metrics."""
        self.update(batch)

    def on_validation_epoch_end(self) -> None:
        """Compute the metrics and log those that are single numbers."""
        found = self.compute()
        self.log_dict({key: value for key, value in found.items() if not isinstance(value, dict)})
        self.results = {key: plain(value) for key, value in found.items()}
        self.evaluated_after = self.global_step

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the run's id, so that no other run resumes from it, and the data's description.

        Raises:
            DivergedError: weights that are not finite.
        """
        self._check_weights()
        checkpoint["run"] = self.run
        checkpoint["about"] = self.about

    def _part(self, index: int) -> str:
        """Name the part of the step's batch, by accumulation step and rank; empty for the first."""
        accumulate, rank, world_size = self.place
        part = index % accumulate * world_size + rank
        return f" part {part}" if part else ""

    def configure_optimizers(self) -> Any:
        """Return AdamW and its schedule, with the upsamplers' own learning rate."""
        settings = self.settings
        rate, upsampler_rate = settings.learning_rate, settings.upsampler_rate
        if settings.rate_scale is not None:
            if any(True for one in find_upsamplers(self.model) for _ in one.parameters()):
                upsampler_rate *= settings.rate_scale
            else:
                rate *= settings.rate_scale
        groups = parameter_groups(
            self.model,
            rate,
            upsampler_lr_scale=upsampler_rate,
            weight_decay=settings.weight_decay,
        )
        rates = [group["lr"] for group in groups]
        schedule = OneCycleLR(optimizer := AdamW(groups), rates, total_steps=settings.steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def plain(value: Any) -> Any:
    """Return a float, or None for NaN, which JSON does not have; dictionaries value by value."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    number = float(value)
    return None if math.isnan(number) else number

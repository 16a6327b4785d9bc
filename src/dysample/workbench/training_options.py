"""Validation schedule and compute options of a training, as plain data."""

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from dysample.workbench.settings import MOST, MOST_IMAGES, keep_count

Precision = Literal["32-true", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Validation schedule and compute options.

    Attributes:
        validate_every: optimiser steps between evaluations; null for one at the end only.
        checkpoint_every: optimiser steps between checkpoints; each evaluation is followed by one.
        accumulate: gradient accumulation steps in each batch.
        precision: of the passes through the model; its parameters are always float32.
        accelerator: auto for CUDA where there is any.
        devices: processes on each node.
        num_nodes: machines, each of which runs the same command.
        loader_workers: processes that read and augment batches, for each training process.

    Raises:
        TypeError: a value of another type.
        ValueError: a value outside its range.
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ("accumulate", "precision")
    """The options that change what a run computes."""

    validate_every: int | None = None
    checkpoint_every: int = 50
    accumulate: int = 1
    precision: Precision = "32-true"
    accelerator: Accelerator = "auto"
    devices: int = 1
    num_nodes: int = 1
    loader_workers: int = 0

    def __post_init__(self) -> None:
        """Check every value."""
        for name, least, most in (
            ("validate_every", 1, MOST),
            ("checkpoint_every", 1, MOST),
            ("accumulate", 1, MOST_IMAGES),
            ("devices", 1, MOST_IMAGES),
            ("num_nodes", 1, MOST_IMAGES),
            ("loader_workers", 0, 1024),
        ):
            if name != "validate_every" or self.validate_every is not None:
                keep_count(self, name, least, most)
        for name, kind in (("precision", Precision), ("accelerator", Accelerator)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(
                    f"`{name}` (={getattr(self, name)!r}) must be one of "
                    f"{', '.join(get_args(kind))}"
                )

    @property
    def processes(self) -> int:
        """The world size: training processes on all nodes."""
        return self.devices * self.num_nodes

    def check_batch_size(self, batch_size: int) -> None:
        """Raise a ValueError if a batch cannot be split into equal parts."""
        parts = self.accumulate * self.processes
        if batch_size % parts:
            raise ValueError(
                f"`batch_size` (={batch_size}) must be a multiple of {parts}: `accumulate` "
                f"(={self.accumulate}) times `devices` (={self.devices}) times `num_nodes` "
                f"(={self.num_nodes})"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name, as plain data for JSON."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """Return the options that are part of a run's identity and differ from the default.

        The world size is not: any number of processes sees the same images, and a run may resume
        with another one.
        """
        return {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name in self.IDENTITY and getattr(self, one.name) != one.default
        }

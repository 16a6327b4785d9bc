"""Descriptions of runs on one process of the CPU."""

from typing import Any

from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.settings import Settings
from dysample.workbench.training_options import TrainingOptions


def spec_of(
    settings: Settings,
    upsampler: str = "dysample",
    seed: int = 0,
    data: str = "scenes",
    task: str = "semantic",
    **training: Any,
) -> RunSpec:
    """A run of semantic segmentation on the scenes, unless said otherwise."""
    options = TrainingOptions(accelerator="cpu", **training)
    return RunSpec(task, data, UpsamplerSpec.parse(upsampler), seed, settings, options)

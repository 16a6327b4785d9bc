"""The command line, a script of its own: models without batch normalisation, every loss logged.

The statistics of batch normalisation are those of one process's images: several processes then see
other losses than one.
"""

from typing import Any

from lightning.pytorch import Trainer
from torch import nn

from dysample.cli import main
from dysample.workbench.training import lightning_trainer


class LogsEveryStep(Trainer):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "log_every_n_steps": 1})


nn.BatchNorm2d = lambda channels: nn.GroupNorm(1, channels)
lightning_trainer.Trainer = LogsEveryStep

if __name__ == "__main__":
    main()

"""Checkpoints that are whole or absent, whatever happens while they are written."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from dysample.files import whole_file


class WholeFileIO(TorchCheckpointIO):
    """Writes to a temporary file beside the target, flushes it to the disk, then renames it.

    Lightning renames too, but without the flush: after a power cut the name may stand for a file
    without its contents.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Replace the file at `path`."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as file:
            torch.save(checkpoint, file)

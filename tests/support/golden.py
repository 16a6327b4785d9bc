"""Golden files of the published code: inputs, weights, outputs and gradients."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from support.golden_builders import BUILDERS

FOLDER = Path(os.environ.get("DYSAMPLE_GOLDEN", Path(__file__).parents[1] / "golden"))
FILES = sorted(FOLDER.glob("*.npz"))


class Golden:
    """One file, read, with its tensors on a device."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        with np.load(path) as arrays:
            self.arrays = {
                key: torch.from_numpy(arrays[key]).to(device) for key in arrays if key != "meta"
            }
            self.meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        self.meta["channels"] = {
            name: array.shape[1] for name, array in self.part("in.").items() if array.dim() == 4
        }

    def part(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def run(self, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor], nn.Module | None]:
        """Output, inputs (with gradients where float64) and module."""
        module, call = BUILDERS[self.meta["op"]](self.meta)
        if module is not None:
            module.load_state_dict(self.part("state."))
            module.to(dtype).train(self.meta.get("train", False))
        inputs = {
            name: self.arrays[f"in.{name}"].to(dtype).requires_grad_()
            for name in self.meta["inputs"]
        }
        return call(*inputs.values()), inputs, module

    def tolerance(self) -> float:
        """Allowed error in float64: 1e-10, and two exceptions that the files' README lists."""
        if "f32_max_abs_dev" not in self.meta:
            return 2e-6  # results of a float32 CUDA kernel
        if self.meta["op"].startswith("DySample"):
            scale = self.meta["ctor"].get("scale") or self.meta["ctor"]["scale_factor"]
            if scale & (scale - 1):
                return 1e-6  # the published `init_pos` rounds (2j + 1 - s) / 2s to float32
        return 1e-10

    def tolerance_float32(self) -> float:
        """The published code's own error in float32, and 8 roundings for sums in another order."""
        roundings = 8 * torch.finfo(torch.float32).eps * float(self.arrays["out"].abs().max())
        return float(self.meta["f32_max_abs_dev"]) + roundings

"""Feature upsamplers for dense prediction, behind one interface.

>>> import torch
>>> from dysample import DySample
>>> up = DySample(in_channels=64)
>>> up(torch.randn(1, 64, 13, 17)).shape
torch.Size([1, 64, 26, 34])
>>> up(torch.randn(1, 64, 13, 17), size=(25, 33)).shape
torch.Size([1, 64, 25, 33])

The submodules, and torch with them, are imported on first use. `dysample.nn` and
`dysample.functional` are parts too, which `from dysample import *` leaves out: they have the names
of torch's.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dysample import functional as functional
    from dysample import nn as nn
    from dysample.diagnosis import Diagnosis, Reading, diagnose
    from dysample.explanation import Explanation, explain
    from dysample.export import export_onnx
    from dysample.nn import (
        A2U,
        CARAFE,
        FADE,
        SAPA,
        SAPAI,
        Bilinear,
        Deconv,
        DySample,
        FADELite,
        Guided,
        IndexNet,
        Inspection,
        Nearest,
        PixelShuffle,
        SAPADeform,
        Upsampler,
    )
    from dysample.ops import backend
    from dysample.optim import parameter_groups
    from dysample.registry import create_upsampler, list_upsamplers, register_upsampler
    from dysample.surgery import find_sites, register_mm, replace_upsamplers

__version__ = "0.1.0"

__all__ = [
    "A2U",
    "CARAFE",
    "FADE",
    "SAPA",
    "SAPAI",
    "Bilinear",
    "Deconv",
    "Diagnosis",
    "DySample",
    "Explanation",
    "FADELite",
    "Guided",
    "IndexNet",
    "Inspection",
    "Nearest",
    "PixelShuffle",
    "Reading",
    "SAPADeform",
    "Upsampler",
    "__version__",
    "backend",
    "create_upsampler",
    "diagnose",
    "explain",
    "export_onnx",
    "find_sites",
    "list_upsamplers",
    "parameter_groups",
    "register_mm",
    "register_upsampler",
    "replace_upsamplers",
]

_HOMES = {
    "Diagnosis": "diagnosis",
    "Explanation": "explanation",
    "Reading": "diagnosis",
    "backend": "ops",
    "create_upsampler": "registry",
    "diagnose": "diagnosis",
    "explain": "explanation",
    "export_onnx": "export",
    "find_sites": "surgery",
    "list_upsamplers": "registry",
    "parameter_groups": "optim",
    "register_mm": "surgery",
    "register_upsampler": "registry",
    "replace_upsamplers": "surgery",
}
"""Parts that hold the names above; the others are in `nn`."""


def __getattr__(name: str) -> Any:
    """Import a name of `__all__`, or a submodule such as `dysample.nn`, on first use."""
    if name in __all__:
        value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'nn')}"), name)
        globals()[name] = value
        return value
    part = f"{__name__}.{name}"
    try:
        return import_module(part)
    except ModuleNotFoundError as error:
        if error.name != part:  # the submodule exists, but a library that it needs does not
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "functional", "nn"})

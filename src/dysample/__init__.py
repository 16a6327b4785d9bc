"""Feature upsamplers for dense prediction, behind one interface.

>>> import torch
>>> from dysample import DySample
>>> up = DySample(in_channels=64)
>>> up(torch.randn(1, 64, 13, 17)).shape
torch.Size([1, 64, 26, 34])
>>> up(torch.randn(1, 64, 13, 17), size=(25, 33)).shape
torch.Size([1, 64, 25, 33])
"""

from dysample import functional, nn
from dysample.explain import Explanation, explain
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
    IndexNet,
    Nearest,
    PixelShuffle,
    SAPADeform,
    Upsampler,
)
from dysample.ops import backend
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
    "DySample",
    "Explanation",
    "FADELite",
    "IndexNet",
    "Nearest",
    "PixelShuffle",
    "SAPADeform",
    "Upsampler",
    "__version__",
    "backend",
    "create_upsampler",
    "explain",
    "export_onnx",
    "find_sites",
    "functional",
    "list_upsamplers",
    "nn",
    "register_mm",
    "register_upsampler",
    "replace_upsamplers",
]

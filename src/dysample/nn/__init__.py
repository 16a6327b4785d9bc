"""The upsamplers, one file each."""

from dysample.nn.a2u import A2U
from dysample.nn.base import Guided, Inspection, Upsampler
from dysample.nn.bilinear import Bilinear
from dysample.nn.carafe import CARAFE
from dysample.nn.deconv import Deconv
from dysample.nn.dysample import DySample
from dysample.nn.fade import FADE, FADELite
from dysample.nn.indexnet import IndexNet
from dysample.nn.nearest import Nearest
from dysample.nn.pixel_shuffle import PixelShuffle
from dysample.nn.published import published_state_dict
from dysample.nn.sapa import SAPA
from dysample.nn.sapa_deform import SAPADeform
from dysample.nn.sapa_i import SAPAI

__all__ = [
    "A2U",
    "CARAFE",
    "FADE",
    "SAPA",
    "SAPAI",
    "Bilinear",
    "Deconv",
    "DySample",
    "FADELite",
    "Guided",
    "IndexNet",
    "Inspection",
    "Nearest",
    "PixelShuffle",
    "SAPADeform",
    "Upsampler",
    "published_state_dict",
]

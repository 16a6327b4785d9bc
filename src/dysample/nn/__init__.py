"""The upsamplers, one file each."""

from dysample.nn.base import Upsampler
from dysample.nn.bilinear import Bilinear
from dysample.nn.carafe import CARAFE
from dysample.nn.deconv import Deconv
from dysample.nn.dysample import DySample
from dysample.nn.nearest import Nearest
from dysample.nn.pixel_shuffle import PixelShuffle

__all__ = ["CARAFE", "Bilinear", "Deconv", "DySample", "Nearest", "PixelShuffle", "Upsampler"]

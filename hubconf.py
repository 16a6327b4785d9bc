"""Entry points of `torch.hub`: every upsampler by its name, and `from_pretrained`.

>>> up = torch.hub.load("path/to/this/checkout", "dysample_plus", 64, source="local")
"""

import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "src"))

from dysample import create_upsampler as _create_upsampler
from dysample import list_upsamplers as _list_upsamplers
from dysample.hub import from_pretrained
from dysample.registry import get_entry as _get_entry

dependencies = ["torch"]

__all__ = ["dependencies", "from_pretrained"]

for _name in _list_upsamplers():
    _entry = functools.partial(_create_upsampler, _name)
    _entry.__doc__ = f"(in_channels, scale_factor=2, **options): {_get_entry(_name).summary}."
    globals()[_name] = _entry
    __all__.append(_name)

"""The former place of `dysample.workbench.look`; it goes in 0.3."""

import warnings

from dysample.workbench.look import show

__all__ = ["show"]

warnings.warn("dysample.look is now dysample.workbench.look", DeprecationWarning, stacklevel=2)

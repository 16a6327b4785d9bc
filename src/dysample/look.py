"""Deprecated alias of `dysample.workbench.look`; it is removed in 0.3."""

import warnings

from dysample.workbench.look import show

__all__ = ["show"]

warnings.warn("dysample.look is now dysample.workbench.look", DeprecationWarning, stacklevel=2)

"""Looking inside: what an upsampler reads, moves and leaves wrong, on any image.

>>> from dysample.workbench.look import show
>>> figure = show("dysample", "scene:7", pixel=(20, 31))  # doctest: +SKIP

`show` draws it, `dysample show` and `dysample demo` do the same on the command line and as a page.
"""

from dysample.workbench.look.view import show

__all__ = ["show"]

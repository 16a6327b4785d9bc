"""Embedded scenes: rooms with objects, rendered by a small ray caster, with exact labels.

Every frame carries colour, z-depth, class and instance of each pixel, sampled at its centre. The
objects are chosen so that boundaries and thin structures matter: poles and fences of one or two
pixels. A frame depends on (seed, index) alone, and shows the same scene at every resolution.
"""

from .cache import LARGEST_SET, Scenes, cache_folder, kept_in_cache, load_scenes
from .classes import CLASSES, THINGS
from .render import VERSION, Frame, render_frame

__all__ = [
    "CLASSES",
    "LARGEST_SET",
    "THINGS",
    "VERSION",
    "Frame",
    "Scenes",
    "cache_folder",
    "kept_in_cache",
    "load_scenes",
    "render_frame",
]

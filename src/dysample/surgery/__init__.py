"""Surgery: find the upsampling steps of an existing model, and replace them."""

from dysample.surgery.mm import register_mm
from dysample.surgery.replace import replace_upsamplers
from dysample.surgery.report import Decision, Report
from dysample.surgery.saved import load_upsamplers, save_upsamplers
from dysample.surgery.sites import Site, find_sites

__all__ = [
    "Decision",
    "Report",
    "Site",
    "find_sites",
    "load_upsamplers",
    "register_mm",
    "replace_upsamplers",
    "save_upsamplers",
]

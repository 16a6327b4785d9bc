"""Models as ONNX files that give the same numbers in other runtimes, compared before they exist."""

from dysample.export.arguments import SAMPLERS
from dysample.export.check import Comparison, ExportError
from dysample.export.onnx import Export, export_onnx

__all__ = ["SAMPLERS", "Comparison", "Export", "ExportError", "export_onnx"]

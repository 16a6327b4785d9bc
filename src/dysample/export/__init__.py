"""Models as ONNX files that give the same numbers in other runtimes, compared before they exist."""

from dysample.export.check import Comparison, ExportError
from dysample.export.onnx import SAMPLERS, Export, export_onnx

__all__ = ["SAMPLERS", "Comparison", "Export", "ExportError", "export_onnx"]

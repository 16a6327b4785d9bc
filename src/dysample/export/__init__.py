"""Export models to ONNX files, verified in other runtimes before they are written."""

from dysample.export.arguments import SAMPLERS
from dysample.export.check import Comparison, ExportError
from dysample.export.onnx import Export, export_onnx

__all__ = ["SAMPLERS", "Comparison", "Export", "ExportError", "export_onnx"]

"""A tuned model as one ONNX graph, for machines without Python's gigabytes."""

from citytune.forecasting.graph._write import export_onnx, in_eight_bits

__all__ = ["export_onnx", "in_eight_bits"]

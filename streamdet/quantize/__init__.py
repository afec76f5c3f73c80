"""INT8 quantization of detectors within a limit on accuracy loss.

Reading order: prepare, calibration, qdq, validator, layer_search, quantizer.
"""

from streamdet.quantize.options import CalibrationMethod, QuantizeOptions
from streamdet.quantize.quantizer import Quantized, quantize
from streamdet.quantize.report import LayerReport, QuantizeReport

__all__ = ["CalibrationMethod", "LayerReport", "QuantizeOptions", "QuantizeReport", "Quantized", "quantize"]

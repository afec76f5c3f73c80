"""INT8 forms of detectors, guarded by accuracy. In reading order: prepare, calibrate, write, judge, search, guarded."""

from streamdet.models.quantize.guarded import Quantized, quantize
from streamdet.models.quantize.options import Method, QuantizeOptions
from streamdet.models.quantize.report import LayerReport, QuantizeReport

__all__ = ["LayerReport", "Method", "QuantizeOptions", "QuantizeReport", "Quantized", "quantize"]

"""INT8 forms of detectors, guarded by accuracy. In reading order: prepare, calibrate, write, judge, search, guarded."""

from streamdet.quantize.guarded import Quantized, quantize
from streamdet.quantize.options import Method, QuantizeOptions
from streamdet.quantize.report import LayerReport, QuantizeReport

__all__ = ["LayerReport", "Method", "QuantizeOptions", "QuantizeReport", "Quantized", "quantize"]

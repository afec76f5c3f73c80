"""Conversion of detectors into other forms: raw heads, FP16, OpenVINO."""

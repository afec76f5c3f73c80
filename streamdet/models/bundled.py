"""Detectors bundled with this package, for the synthetic scenes only."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile

DEMO_MODEL = "ssd-demo"
"""Name of the detector for `synthetic:street`, trained on that scene."""

SHAPES_MODEL = "synthetic-shapes"
"""Name of the detector for `synthetic:shapes`, which is built on request."""

BUNDLED_MODELS = (DEMO_MODEL, SHAPES_MODEL)

ABOUT = {
    DEMO_MODEL: "small SSD at 416x256, 0.9 GFLOPs; person, cyclist, car; trained on synthetic:street only",
    SHAPES_MODEL: "finds the shapes of synthetic:shapes by color; weights set by hand, not learned",
}
"""One-line descriptions."""


def bundled_model(name: str) -> tuple[ModelSpec, ModelFile]:
    """Returns the spec and the file of one of `BUNDLED_MODELS`."""
    if name == SHAPES_MODEL:
        from streamdet.models.shapes_detector import shapes_model

        spec, data = shapes_model()
        return spec, ModelFile(data, name)
    from streamdet.models.openvino_ir import model_signature
    from streamdet.models.recognize import recognize

    file = ModelFile(resources.files("streamdet.models").joinpath("weights", f"{name}.onnx").read_bytes(), name)
    return replace(recognize(model_signature(file), name), about=ABOUT[name]), file

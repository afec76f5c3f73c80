"""Detectors that come with this package and know the synthetic scenes, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile

DEMO = "ssd-demo"
"""Name of the detector of `synthetic:street`, trained on it."""

SHAPES = "synthetic-shapes"
"""Name of the detector of `synthetic:shapes`, which is made up when it is asked for."""

EMBEDDED = (DEMO, SHAPES)

ABOUT = {
    DEMO: "small SSD at 416x256, 0.9 GFLOPs; person, cyclist, car of synthetic:street, and nothing of the real world",
    SHAPES: "finds the shapes of synthetic:shapes by colour; weights set by hand, knows nothing else",
}
"""One line for people."""


def embedded(name: str) -> tuple[ModelSpec, ModelFile]:
    """Returns the description and the content of one of `EMBEDDED`."""
    if name == SHAPES:
        from streamdet.models.shapes_detector import shapes_model

        spec, data = shapes_model()
        return spec, ModelFile(data, name)
    from streamdet.models.openvino_ir import file_signature
    from streamdet.models.recognise import recognise

    file = ModelFile(resources.files("streamdet.models").joinpath("weights", f"{name}.onnx").read_bytes(), name)
    return replace(recognise(file_signature(file), name), about=ABOUT[name]), file

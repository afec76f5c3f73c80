"""INT8 for `streamdet models convert`: the photos for calibration and the measure of the result."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.convert.artifacts import Quantizer
    from streamdet.model_spec.spec import ModelSpec
    from streamdet.models.onnx_file import ModelFile

MAX_CALIBRATION_PHOTOS = 64
"""Maximum number of photos for calibration and decisions: with the flagship each takes seconds, several times."""

MAX_LABELED_PHOTOS = 128
"""Maximum number of labeled photos on which a variant of the model is scored."""

MAX_LOSS_LABELED = 0.01
"""Maximum loss of AP."""

MAX_LOSS_UNLABELED = 0.02
"""Maximum loss of agreement, which is relative to the detections of the float model: a detector of AP 0.5 that loses
0.01 of AP loses about this much agreement."""


def make_quantizer(
    calibration: str | None, annotations: Path | None, labeled: str | None, max_loss: float | None
) -> Quantizer:
    """Returns a function that makes an INT8 model.

    Args:
        calibration: folder, pattern or list of photos.
        annotations: ground truth of labeled photos; None measures agreement with the float model instead.
        labeled: folder of the labeled photos; None for that of `calibration`.
        max_loss: maximum loss of accuracy; None for the default of the measure.

    Raises:
        UsageError: there are no photos, or the annotations have no folder of photos.
    """
    from streamdet.cli.models.sample_images import evenly_spaced, photo_paths

    if calibration is None:
        raise UsageError(
            "--precision int8 needs --calibration: give photos like those of the task (folder, pattern or list)"
        )
    paths = evenly_spaced(photo_paths(calibration), MAX_CALIBRATION_PHOTOS)
    folder = Path(os.path.expanduser(labeled or calibration))
    if annotations is not None and not folder.is_dir():
        raise UsageError(
            f"--annotations needs the folder of its photos, and {folder} is not a folder: give it with --images"
        )

    default_loss = MAX_LOSS_UNLABELED if annotations is None else MAX_LOSS_LABELED
    allowed = default_loss if max_loss is None else max_loss

    def run(file: ModelFile, spec: ModelSpec, update: Callable[[str], None]) -> tuple[bytes, str]:
        from streamdet.quantize import QuantizeOptions, quantize

        score = None if annotations is None else _scorer(spec, folder, annotations)
        quantized = quantize(file, spec, paths, QuantizeOptions(max_loss=allowed), score, update)
        return quantized.data, quantized.report.text()

    return run


def _scorer(spec: ModelSpec, folder: Path, annotations: Path) -> Callable[[ModelFile], float]:
    from streamdet.evaluate.coco import CocoOptions, detector_options, evaluate_coco
    from streamdet.inference.detector import ModelDetector
    from streamdet.inference.session import Session

    options = CocoOptions(max_images=MAX_LABELED_PHOTOS, allow_missing=True, provider="cpu")
    settings = detector_options(options, None)

    def score(file: ModelFile) -> float:
        session = Session(file, provider="cpu", threads=settings.threads)
        with ModelDetector(spec, session, settings) as detector:
            return evaluate_coco(detector, folder, annotations, options).ap

    return score

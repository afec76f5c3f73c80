"""INT8 for `streamdet models convert`: which photos calibrate, and by what the result is judged."""

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
"""Photos that calibrate and decide at most: with the flagship each takes seconds, several times."""

MAX_LABELED_PHOTOS = 128
"""Labelled photos that a form of the model is scored on at most."""


MAX_LOSS_LABELED = 0.01
"""AP that may be lost."""

MAX_LOSS_UNLABELED = 0.02
"""Agreement that may be lost: it is relative to what the float model finds, so that a detector of AP 0.5 that loses
0.01 of AP loses about this much of it."""


def make_quantizer(
    calibration: str | None, annotations: Path | None, labelled: str | None, max_loss: float | None
) -> Quantizer:
    """Returns what makes an INT8 model.

    Args:
        calibration: folder, pattern or list of photos.
        annotations: boxes of labelled photos, to judge by; None judges by agreement with the float model.
        labelled: folder of these; None for the one of `calibration`.
        max_loss: accuracy that may be lost; None for what suits the measure.

    Raises:
        UsageError: there are no photos, or annotations have none.
    """
    from streamdet.cli.models.sample_images import evenly_spaced, photo_paths

    if calibration is None:
        raise UsageError(
            "--precision int8 needs --calibration: photos like those it will see (folder, pattern or list)"
        )
    paths = evenly_spaced(photo_paths(calibration), MAX_CALIBRATION_PHOTOS)
    folder = Path(os.path.expanduser(labelled or calibration))
    if annotations is not None and not folder.is_dir():
        raise UsageError(f"--annotations needs the folder of its photos: give it with --images, {folder} is none")

    usual = MAX_LOSS_UNLABELED if annotations is None else MAX_LOSS_LABELED
    allowed = usual if max_loss is None else max_loss

    def run(file: ModelFile, spec: ModelSpec, tell: Callable[[str], None]) -> tuple[bytes, str]:
        from streamdet.quantize import QuantizeOptions, quantize

        score = None if annotations is None else _scorer(spec, folder, annotations)
        made = quantize(file, spec, paths, QuantizeOptions(max_loss=allowed), score, tell)
        return made.data, made.report.text()

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

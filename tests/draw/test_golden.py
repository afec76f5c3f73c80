"""Drawings compared with stored pictures, which were checked by eye.

After an intended change of a drawing, update the pictures and check them before committing:

    STREAMDET_UPDATE_GOLDEN=1 pytest tests/draw/test_golden.py
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix
from streamdet.draw.annotate import AnnotateOptions, BoxAnnotator
from streamdet.picture import Picture, PixelFormat
from streamdet.types import Detections

GOLDEN = Path(__file__).parent / "golden"
MEAN_TOLERANCE = 0.5
"""Maximum mean absolute difference, in levels of 0..255."""
PIXEL_TOLERANCE = 24
"""Maximum difference of any sample: the edges of letters differ slightly between builds of OpenCV."""

WIDTH, HEIGHT = 200, 120


def background():
    """Returns a gradient, so that opacity shows."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([90 + columns // 4, 60 + rows, np.full_like(rows, 80)], axis=2).astype(np.uint8)


def objects(*rows):
    """Returns detections of (left, top, right, bottom, score, class, track)."""
    values = np.array(rows, np.float64).reshape(-1, 7)
    return Detections(
        values[:, :4].astype(np.float32),
        values[:, 4].astype(np.float32),
        values[:, 5].astype(np.int32),
        values[:, 6].astype(np.int64),
        ("person", "bicycle"),
    )


def moving_object(k):
    return objects((10 + 9 * k, 40 + 12 * np.sin(k / 3), 50 + 9 * k, 100 + 12 * np.sin(k / 3), 0.9, 0, 4))


SCENES = {
    "box-with-label": (AnnotateOptions(), [objects((30, 40, 120, 100, 0.87, 0, 3))], None),
    "overlapping-labels": (
        AnnotateOptions(trails=False),
        [objects((20, 40, 90, 90, 0.9, 0, 1), (30, 44, 100, 100, 0.6, 1, 2), (44, 36, 120, 96, 0.4, 0, -1))],
        None,
    ),
    "labels-at-the-border": (
        AnnotateOptions(),
        [objects((-20, -10, 60, 50, 0.7, 0, 5), (150, 70, 230, 140, 0.5, 1, 6))],
        None,
    ),
    "trail": (AnnotateOptions(), [moving_object(k) for k in range(14)], None),
    "thick-box-by-class": (
        AnnotateOptions(color_by="class", thickness_px=8, text_px=18, scores=False),
        [objects((41.3, 45.7, 150.2, 101.9, 0.9, 1, 9))],
        None,
    ),
    "status-line": (AnnotateOptions(), [objects()], "gate  29.97 fps  12 ms"),
}


def draw(name, format):
    """Returns the last frame of a scene as (HEIGHT, WIDTH, 3) uint8 BGR."""
    options, frames, status = SCENES[name]
    annotator = BoxAnnotator(options)
    for k, detections in enumerate(frames):
        picture = Picture.from_bgr(background(), ColorSpace(Matrix.BT709)).copy(format)
        annotator.draw(picture, detections, time_s=k / 10, status=status)
    return np.array(picture.bgr())


@pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="the stored letters are those of the font of OpenCV 5")
@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.BGR24], ids=["i420", "bgr"])
@pytest.mark.parametrize("name", SCENES)
def test_drawing_equals_the_stored_picture(name, format, tmp_path):
    drawn = draw(name, format)
    path = GOLDEN / f"{name}-{'bgr' if format is PixelFormat.BGR24 else 'i420'}.png"
    if os.environ.get("STREAMDET_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), drawn, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    stored = cv2.imread(str(path))
    assert stored is not None, f"{path} is missing: write it with STREAMDET_UPDATE_GOLDEN=1"
    assert stored.shape == drawn.shape
    difference = np.abs(drawn.astype(int) - stored)
    if difference.mean() > MEAN_TOLERANCE or difference.max() > PIXEL_TOLERANCE:
        new = tmp_path / path.name
        cv2.imwrite(str(new), drawn)
        pytest.fail(
            f"{path.name} differs by {difference.mean():.2f} on average (at most {MEAN_TOLERANCE}) and by "
            f"{difference.max()} in one sample (at most {PIXEL_TOLERANCE}); the new drawing is {new}"
        )


def test_the_tolerance_notices_a_label_that_moves_by_a_pixel():
    drawn = draw("box-with-label", PixelFormat.BGR24).astype(int)
    assert np.abs(np.roll(drawn, 1, axis=1) - drawn).max() > PIXEL_TOLERANCE

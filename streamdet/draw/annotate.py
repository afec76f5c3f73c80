"""Draws detections: trails, boxes, labels, a status line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamdet.color import ColorSpace
from streamdet.draw.blend import Rect
from streamdet.draw.canvas import Canvas, canvas_for
from streamdet.draw.label_placement import place_label
from streamdet.draw.palette import BLACK, WHITE, Rgb, color_of, text_color_on
from streamdet.draw.text import Typeface, join_glyphs
from streamdet.draw.trails import Trails
from streamdet.errors import UsageError
from streamdet.picture import Picture, PixelFormat
from streamdet.types import Detections


@dataclass(frozen=True, slots=True)
class AnnotateOptions:
    """What is drawn, and how.

    Attributes:
        boxes: outline of each object.
        labels: class name of each object.
        ids: track number of each object that has one.
        scores: score of each object.
        trails: the recent path of each track.
        trail_s: how far back trails reach, in seconds of stream time.
        status: the status line, if the caller passes one.
        color_by: "track" gives every track its own color (its class's where it has no track), "class" every class.
        thickness_px: of outlines; 0 chooses by the size of the picture. Odd values are rounded up: a chroma sample
            covers two pixels.
        text_px: font height; 0 chooses by the size of the picture.
    """

    boxes: bool = True
    labels: bool = True
    ids: bool = True
    scores: bool = True
    trails: bool = True
    trail_s: float = 2.0
    status: bool = True
    color_by: Literal["track", "class"] = "track"
    thickness_px: int = 0
    text_px: int = 0

    def __post_init__(self) -> None:
        if self.color_by not in ("track", "class"):
            raise UsageError(f"color_by must be track or class, got {self.color_by!r}")
        for key, most in (("trail_s", 3600), ("thickness_px", 100), ("text_px", 400)):
            value = getattr(self, key)
            if not 0 <= value <= most:
                raise UsageError(f"{key} must be from 0 to {most}, got {value}")


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes of lines and text for one size of picture, in pixels."""

    thickness: int
    text: Typeface
    small_text: Typeface


def _even(value: float) -> int:
    return 2 * round(value / 2)


class BoxAnnotator:
    """Draws the detections of one stream. Keeps the trails of the stream, so every stream needs its own annotator.

    Attributes:
        options: what is drawn.
    """

    def __init__(self, options: AnnotateOptions = AnnotateOptions()) -> None:
        self.options = options
        self._trails = Trails(options.trail_s)
        self._styles: dict[int, _Style] = {}

    def draw(self, picture: Picture, detections: Detections, *, time_s: float, status: str | None = None) -> None:
        """Draws on `picture`, which is modified: pass a copy (`Picture.copy`), never a picture of a decoder.

        Args:
            picture: I420 or BGR24.
            detections: boxes in pixels of `picture`. Boxes that are not finite, empty or wholly outside are left out.
            time_s: time of the frame in its stream, for trails.
            status: text for the status line; None for none.

        Raises:
            ValueError: the picture cannot be drawn on (NV12, read only).
        """
        canvas = canvas_for(picture)
        style = self._style(min(picture.width, picture.height))
        shown = detections[_visible(detections, picture.width, picture.height)]
        colors = self._colors(shown)
        if self.options.trails:
            self._draw_trails(canvas, shown, colors, style, time_s)
        rects = _outlines(shown, picture.width, picture.height, style.thickness)
        if self.options.boxes:
            for rect, color in zip(rects, colors, strict=True):
                canvas.outline(rect, style.thickness, color)
        self._draw_labels(canvas, shown, rects, colors, style)
        if self.options.status and status:
            _draw_status(canvas, status, style.small_text)

    def warm_up(self) -> None:
        """Compiles (or loads from the cache) every kernel that `draw` uses."""
        some = Detections(
            np.array([[8, 8, 40, 40]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32), np.zeros(1, np.int64)
        )
        for format in (PixelFormat.I420, PixelFormat.BGR24):
            picture = Picture.allocate(64, 64, format, ColorSpace())
            annotator = BoxAnnotator(AnnotateOptions())
            for step in range(3):  # a trail starts with its third point
                annotator.draw(picture, some, time_s=0.1 * step, status="ready")
                some.boxes_xyxy[:] += 8
            canvas_for(picture).fill((0, 0, 8, 8), WHITE, 0.5)

    def _style(self, short_side: int) -> _Style:
        style = self._styles.get(short_side)
        if style is None:
            if len(self._styles) > 8:  # a stream whose size keeps changing
                self._styles.clear()
            thickness = self.options.thickness_px or 2 * max(1, round(short_side / 600))
            text_px = self.options.text_px or max(10, round(6 + short_side / 80))
            small_px = max(10, round(0.85 * text_px))
            style = _Style(thickness + thickness % 2, Typeface(text_px), Typeface(small_px, 500))
            self._styles[short_side] = style
        return style

    def _colors(self, detections: Detections) -> list[Rgb]:
        if self.options.color_by == "class":
            return [color_of(class_id) for class_id in detections.class_ids.tolist()]
        pairs = zip(detections.track_ids.tolist(), detections.class_ids.tolist(), strict=True)
        return [color_of(track_id if track_id >= 0 else class_id) for track_id, class_id in pairs]

    def _draw_trails(
        self, canvas: Canvas, detections: Detections, colors: list[Rgb], style: _Style, time_s: float
    ) -> None:
        self._trails.update(detections, time_s, canvas.height)
        for track_id, color in zip(detections.track_ids.tolist(), colors, strict=True):
            path = self._trails.path(track_id, time_s, 0.6 * style.thickness + 0.4)
            if path is not None:
                canvas.stroke(path, color, 0.85)

    def _draw_labels(
        self, canvas: Canvas, detections: Detections, rects: list[Rect], colors: list[Rgb], style: _Style
    ) -> None:
        text = style.text
        pad_x, pad_y = max(3, round(0.3 * text.size_px)), max(1, round(0.08 * text.size_px))
        gap = text.space_px
        plate_height = 2 * ((text.height_px + 2 * pad_y + 1) // 2)
        picture_size = canvas.width, canvas.height
        taken: list[Rect] = []
        for pieces, box, color in zip(self._pieces(detections), rects, colors, strict=True):
            if not pieces:
                continue
            for words in (pieces, _shortened(pieces)):
                glyphs = [text.glyphs(word) for word in words]
                width = sum(g.advance for g in glyphs) + gap * (len(glyphs) - 1) + 2 * pad_x
                plate, free = place_label(box, (width + width % 2, plate_height), picture_size, taken)
                if free:
                    break
            taken.append(plate)
            canvas.fill(plate, color)
            top = plate[1] + (plate_height - text.height_px + 1) // 2
            canvas.stamp(join_glyphs(glyphs, gap), plate[0] + pad_x, top, text_color_on(color))

    def _pieces(self, detections: Detections) -> list[list[str]]:
        """Returns the words of each object's label."""
        options = self.options
        pieces: list[list[str]] = [[] for _ in range(len(detections))]
        if options.labels:
            for words, name in zip(pieces, detections.class_names, strict=True):
                words.append(name)
        if options.ids:
            for words, track_id in zip(pieces, detections.track_ids.tolist(), strict=True):
                if track_id >= 0:
                    words.append(f"#{track_id}")
        if options.scores:
            for words, score in zip(pieces, detections.scores.tolist(), strict=True):
                words.append(f"{score:.2f}")
        return pieces


def _shortened(words: list[str]) -> list[str]:
    """Returns a shorter label for where space is short: the track number, or else the first word."""
    return [word for word in words if word.startswith("#")][:1] or words[:1]


def _visible(detections: Detections, width: int, height: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Returns which boxes are finite, not empty, and overlap the picture; comparisons with NaN are false."""
    left, top, right, bottom = detections.boxes_xyxy.T
    visible: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        np.isfinite(detections.boxes_xyxy).all(axis=1)
        & (right > left)
        & (bottom > top)
        & (right > 0)
        & (bottom > 0)
        & (left < width)
        & (top < height)
    )
    return visible


def _outlines(detections: Detections, width: int, height: int, thickness: int) -> list[Rect]:
    """Returns the outer edges of the outlines: lines are centered on the edges of the box, on whole chroma samples."""
    margin = thickness + 8
    boxes = np.clip(detections.boxes_xyxy, -margin, np.array([width + margin, height + margin] * 2, np.float32))
    lows = 2 * np.floor(boxes[:, :2] / 2 - thickness / 4)
    highs = 2 * np.ceil(boxes[:, 2:] / 2 + thickness / 4)
    return [tuple(box) for box in np.hstack([lows, highs]).astype(int).tolist()]


def _draw_status(canvas: Canvas, status: str, text: Typeface) -> None:
    """Draws one line at the bottom left on a dark plate."""
    glyphs = text.glyphs(status)
    pad = max(4, round(0.4 * text.size_px))
    margin = _even(0.6 * text.size_px)
    height = text.height_px + pad
    bottom = max(canvas.height - margin, height)
    left, top = margin, bottom - height
    canvas.fill((left, top, left + glyphs.advance + 2 * pad, bottom), BLACK, 0.6)
    canvas.stamp(glyphs.mask, left + pad, top + pad // 2, WHITE)

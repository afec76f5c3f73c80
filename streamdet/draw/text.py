"""Text as coverage masks, drawn by OpenCV and cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamdet.color import Plane

_LONGEST = 64
"""Maximum number of characters of a piece of text; longer class names are cut with an ellipsis."""


@dataclass(frozen=True, slots=True, eq=False)
class Glyphs:
    """A piece of text as a mask to stamp.

    Attributes:
        mask: (rows, columns) uint8 coverage; every text of one size has the same rows and the same baseline.
        advance: columns of the mask: from the start of this text to that of a text that follows it without a space.
    """

    mask: Plane
    advance: int


def printable(text: str) -> str:
    r"""Returns `text` on one line: control characters become spaces, lone surrogates '?'.

    >>> printable("fire\nengine")
    'fire engine'
    """
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    line = "".join(character if character.isprintable() else " " for character in cut)
    return line.encode("utf-8", "replace").decode("utf-8")


def join_glyphs(pieces: Sequence[Glyphs], gap: int) -> Plane:
    """Returns one mask with the pieces side by side: a stamp costs more per call than per area.

    Args:
        pieces: at least one.
        gap: pixels between two pieces, at least 2, so that they share no chroma sample.
    """
    if len(pieces) == 1:
        return pieces[0].mask
    width = sum(g.advance for g in pieces) + gap * (len(pieces) - 1)
    mask = np.zeros((len(pieces[0].mask), width), np.uint8)
    left = 0
    for g in pieces:
        mask[:, left : left + g.advance] = g.mask
        left += g.advance + gap
    return mask


class Typeface:
    """Draws text of one size and caches the latest pieces.

    A label is assembled from pieces ("person", "#12", "0.87") because pieces repeat, complete labels rarely do: with
    complete labels almost every frame would draw almost every label again.

    OpenCV 5 has an outline font for most scripts; OpenCV 4 has only an ASCII stroke font, where missing characters
    become '?'. Each typeface has its own outline font object, because that object remembers the last requested weight:
    shared by the threads of two streams, labels of one would get the weight of the other. Each object costs 10 us,
    except the first in each thread, which unpacks the font in 17 ms.

    Attributes:
        size_px: height of the font in pixels.
        height_px: rows of every mask.
        space_px: width of a space.
    """

    def __init__(self, size_px: int, weight: int = 600, capacity: int = 512) -> None:
        self.size_px = size_px
        self._weight = weight
        self._capacity = capacity
        self._cached: OrderedDict[str, Glyphs] = OrderedDict()
        self._face = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
        self._top, self._bottom = 0, 4 * size_px
        rows = np.flatnonzero(self._draw("Ågjy|").mask.any(axis=1))
        self._top, self._bottom = int(rows[0]), int(rows[-1]) + 1
        self.height_px = self._bottom - self._top
        self.space_px = max(2, round(0.27 * size_px))

    def glyphs(self, text: str) -> Glyphs:
        """Returns the mask of `text`, from the cache if it was drawn recently. Not to be modified."""
        cached = self._cached.get(text)
        if cached is not None:
            self._cached.move_to_end(text)
            return cached
        drawn = self._cached[text] = self._draw(printable(text))
        if len(self._cached) > self._capacity:
            self._cached.popitem(last=False)
        return drawn

    def _draw(self, text: str) -> Glyphs:
        if not text.strip():
            return Glyphs(np.zeros((self._bottom - self._top, 1), np.uint8), 1)
        baseline = 2 * self.size_px
        if self._face is not None:
            advance = int(cv2.getTextSize((0, 0), text, (0, 0), self._face, self.size_px, self._weight)[2])
            canvas = np.zeros((4 * self.size_px, advance + self.size_px), np.uint8)
            cv2.putText(canvas, text, (1, baseline), (255,), self._face, self.size_px, self._weight)
        else:
            ascii_text = text.encode("ascii", "replace").decode("ascii")
            thickness = max(1, round(self.size_px / 12))
            scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_DUPLEX, round(0.72 * self.size_px), thickness)
            (advance, _), _ = cv2.getTextSize(ascii_text, cv2.FONT_HERSHEY_DUPLEX, scale, thickness)
            canvas = np.zeros((4 * self.size_px, advance + self.size_px), np.uint8)
            cv2.putText(
                canvas, ascii_text, (1, baseline), cv2.FONT_HERSHEY_DUPLEX, scale, (255,), thickness, cv2.LINE_AA
            )
        columns = np.flatnonzero(canvas.any(axis=0))
        last = int(columns[-1]) + 1 if len(columns) else 1
        return Glyphs(np.ascontiguousarray(canvas[self._top : self._bottom, :last]), max(last, 1))

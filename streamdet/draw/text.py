"""Text as coverage masks, drawn once by OpenCV and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamdet.color import Plane

_LONGEST = 64
"""Characters of a piece of text that are drawn; a class name that is longer is cut with an ellipsis."""


@dataclass(frozen=True, slots=True, eq=False)
class Glyphs:
    """A piece of text, ready to be stamped.

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


def joined(pieces: Sequence[Glyphs], gap: int) -> Plane:
    """Returns one mask for pieces of one size beside each other: what is stamped costs less by its area than by itself.

    Args:
        pieces: at least one.
        gap: pixels between them, at least 2, so that no two share a chroma sample.
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
    """Draws text of one size and keeps the latest pieces.

    A label is put together from pieces ("person", "#12", "0.87") because whole labels hardly ever repeat while pieces
    do: with whole labels almost every frame would draw almost every label anew.

    OpenCV 5 brings an outline font that covers most scripts; OpenCV 4 has only its ASCII stroke font, where characters
    it lacks become '?'. The outline font is the typeface's own, because it remembers the weight that it was asked for
    last: shared by the threads of two streams, labels of either come out in the other's. Each costs 10 us, but for the
    first in each thread, which unpacks the font in 17 ms.

    Attributes:
        size_px: height of the font in pixels.
        height_px: rows of every mask.
        space_px: width of a space.
    """

    def __init__(self, size_px: int, weight: int = 600, capacity: int = 512) -> None:
        self.size_px = size_px
        self._weight = weight
        self._capacity = capacity
        self._kept: OrderedDict[str, Glyphs] = OrderedDict()
        self._face = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
        self._top, self._bottom = 0, 4 * size_px
        rows = np.flatnonzero(self._draw("Ågjy|").mask.any(axis=1))
        self._top, self._bottom = int(rows[0]), int(rows[-1]) + 1
        self.height_px = self._bottom - self._top
        self.space_px = max(2, round(0.27 * size_px))

    def glyphs(self, text: str) -> Glyphs:
        """Returns the mask of `text`, from memory where it was drawn lately. Not to be modified."""
        kept = self._kept.get(text)
        if kept is not None:
            self._kept.move_to_end(text)
            return kept
        drawn = self._kept[text] = self._draw(printable(text))
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
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

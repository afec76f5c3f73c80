"""What may stand in the URL of `synthetic:`, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import parse_qsl

from streamdet.errors import UsageError
from streamdet.scenes.frame_code import SMALLEST_WIDTH
from streamdet.scenes.shapes import ShapesOptions
from streamdet.scenes.street.options import PLACES, TIMES, StreetOptions

SCHEME = "synthetic:"
_EXAMPLE = "synthetic:street?objects=12&fps=30&size=1280x720&seed=7&frames=300&live=0&noise=2 or synthetic:shapes"
_SMALLEST_HEIGHT, _LARGEST = 120, 7680
_COMMON = {"objects": "6", "fps": "30", "size": "1280x720", "seed": "7", "frames": "300", "live": "0", "noise": "2"}
_STREET = {
    **_COMMON,
    "objects": "12",
    "shake": "1",
    "pan": "3",
    "light": "10",
    "jpeg": "0",
    "place": "any",
    "time": "any",
}
_SCENES = {"": _STREET, "street": _STREET, "shapes": _COMMON}


@dataclass(frozen=True, slots=True)
class SyntheticOptions:
    """A parsed URL: the scene, how many frames of it (0 = without end), and whether a clock paces them."""

    scene: ShapesOptions | StreetOptions
    frames: int
    live: bool


def parse_synthetic_url(url: str) -> SyntheticOptions:
    """Returns the plan of a URL.

    Raises:
        UsageError: a key or value of `url` cannot work.
    """
    scene, _, query = url.partition(":")[2].partition("?")
    if scene not in _SCENES:
        raise UsageError(f"synthetic: knows no scene {scene!r}: use {_EXAMPLE}")
    values = dict(_SCENES[scene])
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in values:
            raise UsageError(f"synthetic: knows no key {key!r} (={value}): use {', '.join(values)}")
        values[key] = value
    frames = _whole("frames", values["frames"], 0, 2**31 - 1)
    options = _shapes(values) if scene == "shapes" else _street(values)
    return SyntheticOptions(options, frames, live=_whole("live", values["live"], 0, 1) == 1)


def _shapes(values: dict[str, str]) -> ShapesOptions:
    width, height = _size(values["size"])
    return ShapesOptions(
        objects=_whole("objects", values["objects"], 1, 24),
        fps=_rate(values["fps"]),
        width=width,
        height=height,
        seed=_whole("seed", values["seed"], 0, 2**31 - 1),
        noise=_whole("noise", values["noise"], 0, 40),
    )


def _street(values: dict[str, str]) -> StreetOptions:
    common = _shapes(values)
    jpeg = _whole("jpeg", values["jpeg"], 0, 100)
    if 0 < jpeg < 5:
        raise UsageError(f"synthetic: jpeg={jpeg} does not work: give a quality from 5 to 100, or 0 for none")
    return StreetOptions(
        objects=common.objects,
        fps=common.fps,
        width=common.width,
        height=common.height,
        seed=common.seed,
        noise=common.noise,
        shake=_whole("shake", values["shake"], 0, 20),
        pan=_whole("pan", values["pan"], 0, 25),
        light=_whole("light", values["light"], 0, 60),
        jpeg=jpeg,
        place=_word("place", values["place"], PLACES),
        time=_word("time", values["time"], TIMES),
    )


def _word(key: str, value: str, words: tuple[str, ...]) -> str:
    if value not in ("any", *words):
        raise UsageError(f"synthetic: {key}={value} does not work: use any, {', '.join(words)}")
    return value


def _whole(key: str, value: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or not low <= int(value) <= high:
        raise UsageError(f"synthetic: {key}={value} does not work: give a whole number from {low} to {high}")
    return int(value)


def _rate(value: str) -> Fraction:
    rate = Fraction(value) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6}|/0*[1-9][0-9]{0,5})?", value) else Fraction(0)
    if not Fraction(1, 60) <= rate <= 240:
        raise UsageError(f"synthetic: fps={value} does not work: give frames per second up to 240, as 30 or 30000/1001")
    return rate


def _size(value: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", value)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (SMALLEST_WIDTH <= width <= _LARGEST and _SMALLEST_HEIGHT <= height <= _LARGEST):
        raise UsageError(
            f"synthetic: size={value} does not work: give WIDTHxHEIGHT from {SMALLEST_WIDTH}x{_SMALLEST_HEIGHT} "
            f"to {_LARGEST}x{_LARGEST}, as 1280x720"
        )
    return width, height

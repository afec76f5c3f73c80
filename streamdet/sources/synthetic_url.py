"""Parses the URL of a synthetic source, for example ``synthetic:street?objects=20&seed=3``."""

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
    """A parsed URL.

    Attributes:
        scene: options of the scene.
        frames: number of frames; 0 never ends.
        live: a clock paces the frames, as with a camera.
    """

    scene: ShapesOptions | StreetOptions
    frames: int
    live: bool


def parse_synthetic_url(url: str) -> SyntheticOptions:
    """Returns the options in a URL.

    Raises:
        UsageError: `url` has an unknown scene or key, or an invalid value.
    """
    scene, _, query = url.partition(":")[2].partition("?")
    if scene not in _SCENES:
        raise UsageError(f"synthetic: unknown scene {scene!r}: use {_EXAMPLE}")
    values = dict(_SCENES[scene])
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in values:
            raise UsageError(f"synthetic: unknown key {key!r} (={value}): use {', '.join(values)}")
        values[key] = value
    frames = _integer("frames", values["frames"], 0, 2**31 - 1)
    options = _shapes(values) if scene == "shapes" else _street(values)
    return SyntheticOptions(options, frames, live=_integer("live", values["live"], 0, 1) == 1)


def _shapes(values: dict[str, str]) -> ShapesOptions:
    width, height = _size(values["size"])
    return ShapesOptions(
        objects=_integer("objects", values["objects"], 1, 24),
        fps=_rate(values["fps"]),
        width=width,
        height=height,
        seed=_integer("seed", values["seed"], 0, 2**31 - 1),
        noise=_integer("noise", values["noise"], 0, 40),
    )


def _street(values: dict[str, str]) -> StreetOptions:
    common = _shapes(values)
    jpeg = _integer("jpeg", values["jpeg"], 0, 100)
    if 0 < jpeg < 5:
        raise UsageError(f"synthetic: jpeg={jpeg} is invalid: give a quality from 5 to 100, or 0 for none")
    return StreetOptions(
        objects=common.objects,
        fps=common.fps,
        width=common.width,
        height=common.height,
        seed=common.seed,
        noise=common.noise,
        shake=_integer("shake", values["shake"], 0, 20),
        pan=_integer("pan", values["pan"], 0, 25),
        light=_integer("light", values["light"], 0, 60),
        jpeg=jpeg,
        place=_choice("place", values["place"], PLACES),
        time=_choice("time", values["time"], TIMES),
    )


def _choice(key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in ("any", *choices):
        raise UsageError(f"synthetic: {key}={value} is invalid: use any, {', '.join(choices)}")
    return value


def _integer(key: str, value: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or not low <= int(value) <= high:
        raise UsageError(f"synthetic: {key}={value} is invalid: give a whole number from {low} to {high}")
    return int(value)


def _rate(value: str) -> Fraction:
    rate = Fraction(value) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6}|/0*[1-9][0-9]{0,5})?", value) else Fraction(0)
    if not Fraction(1, 60) <= rate <= 240:
        raise UsageError(
            f"synthetic: fps={value} is invalid: give frames per second up to 240, for example 30 or 30000/1001"
        )
    return rate


def _size(value: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", value)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (SMALLEST_WIDTH <= width <= _LARGEST and _SMALLEST_HEIGHT <= height <= _LARGEST):
        raise UsageError(
            f"synthetic: size={value} is invalid: give WIDTHxHEIGHT from {SMALLEST_WIDTH}x{_SMALLEST_HEIGHT} "
            f"to {_LARGEST}x{_LARGEST}, like 1280x720"
        )
    return width, height

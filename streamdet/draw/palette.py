"""Distinct colors for tracks and classes, and a readable text color on each."""

from functools import lru_cache
from math import cos, radians, sin

Rgb = tuple[int, int, int]

BLACK: Rgb = (0, 0, 0)
WHITE: Rgb = (255, 255, 255)

# The golden angle: consecutive numbers get hues that lie far apart, and no small set of numbers falls on one hue.
_HUE_STEP = 137.50776405
_FIRST_HUE = 262.0
# Lightness and chroma (OKLCH) cycle with a period that shares no factor with the hue's near-repeats (8, 13, 21).
_TONES = ((0.70, 0.19), (0.78, 0.17), (0.63, 0.21), (0.82, 0.16), (0.58, 0.20))
# Dark yellows and greens look muddy, so their lightness is raised.
_LIFT, _LIFTED_HUE = 0.20, 108.0


def _linear_rgb(lightness: float, chroma: float, hue_deg: float) -> tuple[float, float, float]:
    """OKLCH to linear sRGB, with the matrices of Björn Ottosson's definition of Oklab (2020)."""
    a, b = chroma * cos(radians(hue_deg)), chroma * sin(radians(hue_deg))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _encode(linear: float) -> int:
    """Linear light 0..1 to an sRGB byte (IEC 61966-2-1)."""
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(max(value, 0.0), 1.0))


def _decode(byte: int) -> float:
    value = byte / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


@lru_cache(maxsize=1024)
def color_of(number: int) -> Rgb:
    """Returns the color of a track or class; the same number has the same color in every run.

    >>> color_of(3) == color_of(3) != color_of(4)
    True
    """
    lightness, chroma = _TONES[number % len(_TONES)]
    hue = (_FIRST_HUE + number * _HUE_STEP) % 360
    lift = _LIFT * max(0.0, cos(radians(hue - _LIFTED_HUE)))
    lightness = min(lightness + lift, max(lightness, 0.86))
    rgb = _linear_rgb(lightness, chroma, hue)
    while min(rgb) < -1e-4 or max(rgb) > 1.0001:  # outside sRGB: the same hue and lightness, less chroma
        chroma -= 0.005
        rgb = _linear_rgb(lightness, chroma, hue)
    return _encode(rgb[0]), _encode(rgb[1]), _encode(rgb[2])


def luminance(rgb: Rgb) -> float:
    """Returns the relative luminance 0..1 as WCAG 2.2 defines it.

    >>> round(luminance((255, 255, 255)), 3)
    1.0
    """
    red, green, blue = (_decode(channel) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Returns the WCAG contrast ratio, 1..21.

    >>> round(contrast((0, 0, 0), (255, 255, 255)))
    21
    """
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@lru_cache(maxsize=1024)
def text_color_on(background: Rgb) -> Rgb:
    """Returns black or white, whichever stands out more against `background`."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, background))

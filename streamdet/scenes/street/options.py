"""Options of the street scene."""

from dataclasses import dataclass
from fractions import Fraction

PLACES = ("street", "park", "plaza", "carpark")
TIMES = ("day", "overcast", "dusk")


@dataclass(frozen=True, slots=True)
class StreetOptions:
    """Content of the scene.

    Attributes:
        objects: number of people, cyclists and cars, 1 to 24.
        fps: frames per second.
        width: in pixels.
        height: in pixels.
        seed: random seed of the whole scene.
        noise: standard deviation of the luma noise, in steps of 8 bits.
        shake: amplitude of the camera's shake, in thousandths of the picture's height.
        pan: how far the camera turns to either side, in hundredths of the picture's width.
        light: how much darker it gets when clouds pass, in percent.
        jpeg: quality of the JPEG compression applied to each picture, 5 to 100; 0 = none.
        place: one of `PLACES`, or "any": the seed decides.
        time: one of `TIMES`, or "any": the seed decides.
    """

    objects: int = 12
    fps: Fraction = Fraction(30)
    width: int = 1280
    height: int = 720
    seed: int = 7
    noise: float = 2.0
    shake: float = 1.0
    pan: float = 3.0
    light: float = 10.0
    jpeg: int = 0
    place: str = "any"
    time: str = "any"

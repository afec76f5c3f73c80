"""What can be said about the street."""

from dataclasses import dataclass
from fractions import Fraction

PLACES = ("street", "park", "plaza", "carpark")
TIMES = ("day", "overcast", "dusk")


@dataclass(frozen=True, slots=True)
class StreetOptions:
    """What the scene holds.

    Attributes:
        objects: how many people, cyclists and cars are on their ways, 1 to 24.
        fps: frames per second.
        width: in pixels.
        height: in pixels.
        seed: everything follows from it.
        noise: standard deviation of the luma noise, in steps of 8 bits.
        shake: how far the camera trembles, in thousandths of the picture's height.
        pan: how far it turns to either side, in hundredths of the picture's width.
        light: how much darker the light gets when value_noise pass, in percent.
        jpeg: quality of a JPEG that each picture goes through first, 5 to 100; 0 = none.
        place: one of `PLACES`; "any" leaves it to the seed.
        time: one of `TIMES`; "any" leaves it to the seed.
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

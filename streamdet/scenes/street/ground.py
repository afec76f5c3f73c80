"""The flat ground that everything stands on, seen by a camera a few metres above it.

Places are x and y in heights of the picture, y downwards; on the ground, lower is nearer and larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

FAR_WALK, NEAR_WALK = (0.500, 0.545), (0.815, 0.955)
ROAD = (0.558, 0.79)
FAR_BIKES, NEAR_BIKES = 0.572, 0.765
FAR_CARS, NEAR_CARS = 0.612, 0.700
WALL = 0.475
"""Where the ground begins: buildings and trees stand here."""
_FOCAL = 1.2
"""Focal length of the camera in heights of the picture: about 45 degrees from top to bottom."""


@dataclass(frozen=True, slots=True)
class GroundPlane:
    """How the ground is seen.

    Attributes:
        horizon: y of infinitely far ground.
        camera_m: height of the camera.
        width: of the picture.
        reach: how far beyond either side the camera may turn.
        crossing: x where the middle of a zebra crossing meets the nearer kerb, where there is one.
    """

    horizon: float
    camera_m: float
    width: float
    reach: float
    crossing: float | None = None

    def per_metre(self, y: float) -> float:
        """Returns how large a metre is at `y`."""
        return (y - self.horizon) / self.camera_m

    def along(self, x: float, y: float, toward: float) -> float:
        """Returns x at `toward` of a line straight away from the camera through (`x`, `y`)."""
        return self.width / 2 + (x - self.width / 2) * self.per_metre(toward) / self.per_metre(y)

    def metres(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float]:
        """Returns how far it is from one place to another, to the right and towards the camera."""
        far, near = (_FOCAL / self.per_metre(y) for y in (y0, y1))
        return (x1 - x0) / self.per_metre((y0 + y1) / 2), far - near

    def distance_m(self, x0: float, y0: float, x1: float, y1: float) -> float:
        """Returns the length of the straight way between two places."""
        return hypot(*self.metres(x0, y0, x1, y1))

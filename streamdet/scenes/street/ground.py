"""Perspective of the flat ground, seen by a camera a few meters above it.

Positions are x and y in picture heights, y downwards. On the ground, lower in the picture is nearer and larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

FAR_WALK, NEAR_WALK = (0.500, 0.545), (0.815, 0.955)
ROAD = (0.558, 0.79)
FAR_BIKES, NEAR_BIKES = 0.572, 0.765
FAR_CARS, NEAR_CARS = 0.612, 0.700
WALL = 0.475
"""y at which the ground begins; buildings and trees stand here."""
_FOCAL = 1.2
"""Focal length of the camera in picture heights: a vertical field of view of about 45 degrees."""


@dataclass(frozen=True, slots=True)
class GroundPlane:
    """The ground plane as the camera sees it.

    Attributes:
        horizon: y of the horizon.
        camera_m: height of the camera above the ground, in meters.
        width: of the picture, in picture heights.
        margin: how far the camera may see beyond either side of the picture, in picture heights.
        crossing: x where the middle of the zebra crossing meets the near curb; None without a crossing.
    """

    horizon: float
    camera_m: float
    width: float
    margin: float
    crossing: float | None = None

    def meter_at(self, y: float) -> float:
        """Returns the size of a meter at `y`, in picture heights."""
        return (y - self.horizon) / self.camera_m

    def x_along_depth(self, x: float, y: float, target_y: float) -> float:
        """Returns x at `target_y` of the ground line through (`x`, `y`) that runs straight away from the camera."""
        return self.width / 2 + (x - self.width / 2) * self.meter_at(target_y) / self.meter_at(y)

    def offset_m(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float]:
        """Returns the offset from one position to another in meters: to the right, and toward the camera."""
        far, near = (_FOCAL / self.meter_at(y) for y in (y0, y1))
        return (x1 - x0) / self.meter_at((y0 + y1) / 2), far - near

    def distance_m(self, x0: float, y0: float, x1: float, y1: float) -> float:
        """Returns the straight distance between two positions in meters."""
        return hypot(*self.offset_m(x0, y0, x1, y1))

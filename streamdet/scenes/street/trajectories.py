"""Who is where at any time: everything here can be asked for one moment without those before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import floor, pi, sin

from streamdet.scenes.street.ground import FAR_WALK, NEAR_WALK, ROAD, GroundPlane
from streamdet.scenes.street.people import View
from streamdet.scenes.street.rng import SeededRng

PERSON, CYCLIST, CAR = 0, 1, 2
LABELS = ("person", "cyclist", "car")
_STEPS = 96
_HABITS = ("near", "cross", "far", "near", "wait", "near", "far", "cross")


class SpeedProfile:
    """Turns shares of a time into shares of a way: mild changes of speed, and stops.

    Args:
        rng: how the speed changes.
        stops: (share of the time at which it begins, share that it lasts) of each stop.
    """

    def __init__(self, rng: SeededRng, stops: tuple[tuple[float, float], ...]) -> None:
        waves = [(rng.uniform(0.05, 0.18), k, rng.uniform(0, 1)) for k in (1, 2)]
        speeds = []
        for step in range(_STEPS):
            share = (step + 0.5) / _STEPS
            speed = 1 + sum(size * sin(2 * pi * (k * share + turn)) for size, k, turn in waves)
            for begin, lasts in stops:
                speed *= _slowed(share, begin, lasts)
            speeds.append(speed)
        total = sum(speeds)
        self._speeds = [speed * _STEPS / total for speed in speeds]
        self._ways = [0.0]
        for speed in self._speeds:
            self._ways.append(self._ways[-1] + speed / _STEPS)

    def at(self, share: float) -> float:
        """Returns the share of the way that is behind after a share of the time, both 0 to 1."""
        step = min(int(share * _STEPS), _STEPS - 1)
        return self._ways[step] + self._speeds[step] * (share - step / _STEPS)

    def speed(self, share: float) -> float:
        """Returns the speed as a multiple of the mean."""
        return self._speeds[min(int(share * _STEPS), _STEPS - 1)]


def _slowed(share: float, begin: float, lasts: float) -> float:
    """Returns 0 within a stop, 1 far from it, and something between where brakes are on."""
    away = max(begin - share, share - begin - lasts, 0.0) / 0.07
    slow = min(away, 1.0)
    return slow * slow * (3 - 2 * slow)


@dataclass(frozen=True, slots=True)
class FigureState:
    """One figure at one moment.

    Attributes:
        slot: which of the scene's figures; `trip` counts how often it has come. Both together are an identity.
        class_id: an index into `LABELS`.
        x: of the point on the ground that it stands on, in heights of the picture.
        y: the same, downwards.
        moved_m: how far it has come since it appeared.
        speed_m_s: metres per second.
        left: looks to the left.
        view: from where it is seen.
    """

    slot: int
    trip: int
    class_id: int
    x: float
    y: float
    moved_m: float
    speed_m_s: float
    left: bool
    view: View = View.SIDE


@dataclass(frozen=True, slots=True)
class TrafficLane:
    """Cars or cyclists one behind another: all of them move alike, so that nobody drives into another.

    Attributes:
        class_id: of all who use it.
        slots: who uses it.
        y: of their wheels on the ground.
        left: drives to the left.
        pace: of a period.
        period_s: after which speeds repeat.
        speed_m_s: mean.
        room_m: half the length of the longest.
    """

    seed: int
    ground: GroundPlane
    class_id: int
    slots: tuple[int, ...]
    y: float
    left: bool
    pace: SpeedProfile
    period_s: float
    speed_m_s: float
    room_m: float

    def spots(self, time_s: float) -> list[FigureState]:
        """Returns where everybody is."""
        ground, periods = self.ground, time_s / self.period_s
        share = periods - floor(periods)
        flow_m = self.speed_m_s * self.period_s * (floor(periods) + self.pace.at(share))
        seen_m = (ground.width + 2 * ground.margin) / ground.metre_at(self.y)
        way_m = max(seen_m + 2.5 * self.room_m, len(self.slots) * 3.2 * self.room_m)
        found = []
        for place, slot in enumerate(self.slots):
            gap_m = way_m / len(self.slots)
            jitter = max(gap_m - 3 * self.room_m, 0.0) * _share(self.seed, "gap", slot, 0)
            moved_m = flow_m + place * gap_m + jitter
            trip = floor(moved_m / way_m)
            along_m = moved_m - trip * way_m
            y = self.y + 0.012 * (_share(self.seed, "side", slot, trip) - 0.5)
            x = -ground.margin + (along_m - 1.2 * self.room_m) * ground.metre_at(self.y)
            x = ground.width - x if self.left else x
            speed = self.speed_m_s * self.pace.speed(share)
            found.append(FigureState(slot, trip, self.class_id, x, y, along_m, speed, self.left))
        return found


@lru_cache(maxsize=256)
def _share(seed: int, what: str, slot: int, trip: int) -> float:
    """Returns a number from 0 to 1 that follows from its arguments."""
    return SeededRng(seed, what, slot, trip).uniform(0, 1)


def make_lane(
    seed: int, ground: GroundPlane, class_id: int, slots: tuple[int, ...], y: float, left: bool, speed_m_s: float
) -> TrafficLane:
    """Returns a lane whose traffic may stop now and then."""
    rng = SeededRng(seed, "lane", class_id, y)
    likely = 0.65 if class_id == CAR else 0.35
    stops = ((rng.uniform(0.3, 0.6), rng.uniform(0.10, 0.22)),) if rng.bernoulli(likely) else ()
    pace, period_s = SpeedProfile(rng, stops), rng.uniform(10, 17)
    room_m = 3.2 if class_id == CAR else 1.5
    return TrafficLane(
        seed, ground, class_id, slots, y, left, pace, period_s, speed_m_s * rng.uniform(0.85, 1.2), room_m
    )


@dataclass(frozen=True, slots=True)
class Pedestrian:
    """Somebody on foot: along a pavement, across the road, or waiting for somebody. Who leaves never comes back."""

    seed: int
    ground: GroundPlane
    slot: int
    habit: str
    period_s: float
    begun: float

    def spots(self, time_s: float) -> list[FigureState]:
        """Returns where they are, if anywhere."""
        turns = time_s / self.period_s + self.begun
        trip = floor(turns)
        walk = _walk(self.seed, self.ground, self.slot, self.habit, trip)
        x, y, dx, dz = walk.at(walk.pace.at(turns - trip))
        speed = walk.length_m / self.period_s * walk.pace.speed(turns - trip)
        view = View.SIDE if abs(dx) >= 0.7 * abs(dz) else View.FRONT if dz > 0 else View.BACK
        moved_m = walk.length_m * walk.pace.at(turns - trip)
        return [FigureState(self.slot, trip, PERSON, x, y, moved_m, speed, dx < 0, view)]


def make_walker(seed: int, ground: GroundPlane, slot: int, place: int) -> Pedestrian:
    """Returns somebody on foot, the `place`-th of all who are."""
    rng = SeededRng(seed, "walker", slot)
    habit = _HABITS[(place + int(SeededRng(seed, "habits").uniform(0, len(_HABITS)))) % len(_HABITS)]
    usual_s = {"near": 12.0, "far": 24.0, "cross": 21.0, "wait": 19.0}[habit]
    return Pedestrian(seed, ground, slot, habit, usual_s * rng.uniform(0.85, 1.2), rng.uniform(0.05, 0.9))


@dataclass(frozen=True, slots=True)
class _Route:
    """A way of straight parts: corners as (x, y), and the metres behind at each."""

    corners: tuple[tuple[float, float], ...]
    behind_m: tuple[float, ...]
    pace: SpeedProfile
    ground: GroundPlane

    @property
    def length_m(self) -> float:
        return self.behind_m[-1]

    def at(self, share: float) -> tuple[float, float, float, float]:
        """Returns x, y, and how far the part one is on goes to the right and towards the camera in metres."""
        way_m = share * self.length_m
        part = max(k for k in range(len(self.corners) - 1) if k == 0 or self.behind_m[k] <= way_m)
        (x0, y0), (x1, y1) = self.corners[part : part + 2]
        along = min((way_m - self.behind_m[part]) / (self.behind_m[part + 1] - self.behind_m[part]), 1.0)
        per0, per1 = self.ground.metre_at(y0), self.ground.metre_at(y1)
        along = (
            along * per0 / (along * per0 + (1 - along) * per1)
        )  # even steps on the ground are not even in the picture
        dx, dz = self.ground.offset_m(x0, y0, x1, y1)
        return x0 + (x1 - x0) * along, y0 + (y1 - y0) * along, dx, dz


@lru_cache(maxsize=256)
def _walk(seed: int, ground: GroundPlane, slot: int, habit: str, trip: int) -> _Route:
    rng = SeededRng(seed, "walk", slot, trip)
    from_left, beyond = rng.bernoulli(0.5), 0.9
    start, end = -ground.margin, ground.width + ground.margin
    if not from_left:
        start, end = end, start
    corners: tuple[tuple[float, float], ...]
    if habit == "cross":
        first, last = (NEAR_WALK, FAR_WALK) if rng.bernoulli(0.5) else (FAR_WALK, NEAR_WALK)
        y0, y1 = rng.uniform(*first), rng.uniform(*last)
        x0, x1 = _crossed(rng, ground, y0, y1)
        end = end if rng.bernoulli(0.6) else start
        corners = ((start, y0), (x0, y0), (x1, y1), (end, y1))
    else:
        y = rng.uniform(*(FAR_WALK if habit == "far" else NEAR_WALK))
        drift = y if habit == "far" else min(max(y + rng.uniform(-0.04, 0.04), NEAR_WALK[0]), NEAR_WALK[1])
        corners = ((start, y), (end, drift))
    corners = tuple((_outside(x, beyond * ground.metre_at(y), ground), y) for x, y in corners)
    stops = ((rng.uniform(0.3, 0.55), rng.uniform(0.25, 0.35)),) if habit == "wait" else ()
    if not stops and rng.bernoulli(0.25):
        stops = ((rng.uniform(0.2, 0.7), rng.uniform(0.06, 0.14)),)
    behind = [0.0]
    for (x0, y0), (x1, y1) in pairwise(corners):
        behind.append(behind[-1] + ground.distance_m(x0, y0, x1, y1))
    return _Route(corners, tuple(behind), SpeedProfile(rng, stops), ground)


def _crossed(rng: SeededRng, ground: GroundPlane, y0: float, y1: float) -> tuple[float, float]:
    """Returns x where somebody leaves one pavement and where they reach the other: on the zebra where there is one."""
    if ground.crossing is None:
        x = rng.uniform(0.2, 0.8) * ground.width
        return x, x + rng.uniform(-0.06, 0.06)
    x = ground.crossing + rng.uniform(-1.2, 1.2) * ground.metre_at(ROAD[1])
    return ground.x_along_depth(x, ROAD[1], y0), ground.x_along_depth(x, ROAD[1], y1)


def _outside(x: float, half_width: float, ground: GroundPlane) -> float:
    """Moves the ends of a way so far out that nobody can be seen there; leaves what is inside."""
    if x <= -ground.margin:
        return x - half_width
    return x + half_width if x >= ground.width + ground.margin else x

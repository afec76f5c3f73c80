"""Trajectories of people, cyclists and cars: the state of every figure at any time, without computing earlier times."""

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
    """Maps shares of a travel time to shares of the distance: mild changes of speed, and stops.

    Args:
        rng: determines the changes of speed.
        stops: (start, duration) of each stop, as shares of the travel time.
    """

    def __init__(self, rng: SeededRng, stops: tuple[tuple[float, float], ...]) -> None:
        waves = [(rng.uniform(0.05, 0.18), k, rng.uniform(0, 1)) for k in (1, 2)]
        speeds = []
        for step in range(_STEPS):
            share = (step + 0.5) / _STEPS
            speed = 1 + sum(amplitude * sin(2 * pi * (k * share + phase)) for amplitude, k, phase in waves)
            for start, duration in stops:
                speed *= _braking_factor(share, start, duration)
            speeds.append(speed)
        total = sum(speeds)
        self._speeds = [speed * _STEPS / total for speed in speeds]
        self._distances = [0.0]
        for speed in self._speeds:
            self._distances.append(self._distances[-1] + speed / _STEPS)

    def distance(self, share: float) -> float:
        """Returns the share of the distance covered after a share of the time, both 0 to 1."""
        step = min(int(share * _STEPS), _STEPS - 1)
        return self._distances[step] + self._speeds[step] * (share - step / _STEPS)

    def speed(self, share: float) -> float:
        """Returns the speed after a share of the time, as a multiple of the mean speed."""
        return self._speeds[min(int(share * _STEPS), _STEPS - 1)]


def _braking_factor(share: float, start: float, duration: float) -> float:
    """Returns 0 during a stop, 1 far from it, and a value between while braking or accelerating."""
    away = max(start - share, share - start - duration, 0.0) / 0.07
    clipped = min(away, 1.0)
    return clipped * clipped * (3 - 2 * clipped)


@dataclass(frozen=True, slots=True)
class FigureState:
    """One figure (person, cyclist or car) at one moment.

    Attributes:
        slot: index among the scene's figures.
        trip: how many times this slot has crossed the scene; `slot` and `trip` together are an identity.
        class_id: an index into `LABELS`.
        x: of the point on the ground that it stands on, in picture heights.
        y: of the same point, downwards.
        moved_m: meters traveled since it appeared.
        speed_m_s: meters per second.
        left: faces left.
        view: the side of it that is visible.
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
    """A lane of cars or cyclists. All move at the same speed, so that none runs into another.

    Attributes:
        class_id: class of all users of the lane.
        slots: slots of its users.
        y: of the point where wheels touch the ground.
        left: direction of travel is left.
        profile: speed over one period.
        period_s: time after which speeds repeat.
        speed_m_s: mean speed.
        half_length_m: half the length of the longest user, in meters.
    """

    seed: int
    ground: GroundPlane
    class_id: int
    slots: tuple[int, ...]
    y: float
    left: bool
    profile: SpeedProfile
    period_s: float
    speed_m_s: float
    half_length_m: float

    def states_at(self, time_s: float) -> list[FigureState]:
        """Returns the state of every user of the lane."""
        ground, periods = self.ground, time_s / self.period_s
        share = periods - floor(periods)
        flow_m = self.speed_m_s * self.period_s * (floor(periods) + self.profile.distance(share))
        seen_m = (ground.width + 2 * ground.margin) / ground.meter_at(self.y)
        loop_m = max(seen_m + 2.5 * self.half_length_m, len(self.slots) * 3.2 * self.half_length_m)
        states = []
        for position, slot in enumerate(self.slots):
            gap_m = loop_m / len(self.slots)
            jitter = max(gap_m - 3 * self.half_length_m, 0.0) * _random_share(self.seed, "gap", slot, 0)
            moved_m = flow_m + position * gap_m + jitter
            trip = floor(moved_m / loop_m)
            along_m = moved_m - trip * loop_m
            y = self.y + 0.012 * (_random_share(self.seed, "side", slot, trip) - 0.5)
            x = -ground.margin + (along_m - 1.2 * self.half_length_m) * ground.meter_at(self.y)
            x = ground.width - x if self.left else x
            speed = self.speed_m_s * self.profile.speed(share)
            states.append(FigureState(slot, trip, self.class_id, x, y, along_m, speed, self.left))
        return states


@lru_cache(maxsize=256)
def _random_share(seed: int, purpose: str, slot: int, trip: int) -> float:
    """Returns a number from 0 to 1 determined by the arguments."""
    return SeededRng(seed, purpose, slot, trip).uniform(0, 1)


def make_lane(
    seed: int, ground: GroundPlane, class_id: int, slots: tuple[int, ...], y: float, left: bool, speed_m_s: float
) -> TrafficLane:
    """Returns a lane whose traffic may stop now and then."""
    rng = SeededRng(seed, "lane", class_id, y)
    stop_probability = 0.65 if class_id == CAR else 0.35
    stops = ((rng.uniform(0.3, 0.6), rng.uniform(0.10, 0.22)),) if rng.bernoulli(stop_probability) else ()
    profile, period_s = SpeedProfile(rng, stops), rng.uniform(10, 17)
    half_length_m = 3.2 if class_id == CAR else 1.5
    mean_m_s = speed_m_s * rng.uniform(0.85, 1.2)
    return TrafficLane(seed, ground, class_id, slots, y, left, profile, period_s, mean_m_s, half_length_m)


@dataclass(frozen=True, slots=True)
class Pedestrian:
    """A person on foot: walks along a pavement, crosses the road, or waits. Each trip is a new identity."""

    seed: int
    ground: GroundPlane
    slot: int
    habit: str
    period_s: float
    start: float

    def states_at(self, time_s: float) -> list[FigureState]:
        """Returns the person's state, as a list of one."""
        turns = time_s / self.period_s + self.start
        trip = floor(turns)
        route = _route(self.seed, self.ground, self.slot, self.habit, trip)
        x, y, dx, dz = route.position_at(route.profile.distance(turns - trip))
        speed = route.length_m / self.period_s * route.profile.speed(turns - trip)
        view = View.SIDE if abs(dx) >= 0.7 * abs(dz) else View.FRONT if dz > 0 else View.BACK
        moved_m = route.length_m * route.profile.distance(turns - trip)
        return [FigureState(self.slot, trip, PERSON, x, y, moved_m, speed, dx < 0, view)]


def make_pedestrian(seed: int, ground: GroundPlane, slot: int, number: int) -> Pedestrian:
    """Returns the person on foot with index `number` among all of them."""
    rng = SeededRng(seed, "walker", slot)
    habit = _HABITS[(number + int(SeededRng(seed, "habits").uniform(0, len(_HABITS)))) % len(_HABITS)]
    usual_s = {"near": 12.0, "far": 24.0, "cross": 21.0, "wait": 19.0}[habit]
    return Pedestrian(seed, ground, slot, habit, usual_s * rng.uniform(0.85, 1.2), rng.uniform(0.05, 0.9))


@dataclass(frozen=True, slots=True)
class _Route:
    """A route of straight legs: corners as (x, y), and the distance in meters from the start to each corner."""

    corners: tuple[tuple[float, float], ...]
    corners_m: tuple[float, ...]
    profile: SpeedProfile
    ground: GroundPlane

    @property
    def length_m(self) -> float:
        return self.corners_m[-1]

    def position_at(self, share: float) -> tuple[float, float, float, float]:
        """Returns x and y, and the current leg's extent in meters: to the right, and toward the camera."""
        distance_m = share * self.length_m
        leg = max(k for k in range(len(self.corners) - 1) if k == 0 or self.corners_m[k] <= distance_m)
        (x0, y0), (x1, y1) = self.corners[leg : leg + 2]
        along = min((distance_m - self.corners_m[leg]) / (self.corners_m[leg + 1] - self.corners_m[leg]), 1.0)
        meter0, meter1 = self.ground.meter_at(y0), self.ground.meter_at(y1)
        # Perspective: equal steps on the ground are not equal in the picture.
        along = along * meter0 / (along * meter0 + (1 - along) * meter1)
        dx, dz = self.ground.offset_m(x0, y0, x1, y1)
        return x0 + (x1 - x0) * along, y0 + (y1 - y0) * along, dx, dz


@lru_cache(maxsize=256)
def _route(seed: int, ground: GroundPlane, slot: int, habit: str, trip: int) -> _Route:
    rng = SeededRng(seed, "walk", slot, trip)
    from_left, half_width_m = rng.bernoulli(0.5), 0.9
    start, end = -ground.margin, ground.width + ground.margin
    if not from_left:
        start, end = end, start
    corners: tuple[tuple[float, float], ...]
    if habit == "cross":
        first, last = (NEAR_WALK, FAR_WALK) if rng.bernoulli(0.5) else (FAR_WALK, NEAR_WALK)
        y0, y1 = rng.uniform(*first), rng.uniform(*last)
        x0, x1 = _crossing_ends(rng, ground, y0, y1)
        end = end if rng.bernoulli(0.6) else start
        corners = ((start, y0), (x0, y0), (x1, y1), (end, y1))
    else:
        y = rng.uniform(*(FAR_WALK if habit == "far" else NEAR_WALK))
        end_y = y if habit == "far" else min(max(y + rng.uniform(-0.04, 0.04), NEAR_WALK[0]), NEAR_WALK[1])
        corners = ((start, y), (end, end_y))
    corners = tuple((_move_ends_outside(x, half_width_m * ground.meter_at(y), ground), y) for x, y in corners)
    stops = ((rng.uniform(0.3, 0.55), rng.uniform(0.25, 0.35)),) if habit == "wait" else ()
    if not stops and rng.bernoulli(0.25):
        stops = ((rng.uniform(0.2, 0.7), rng.uniform(0.06, 0.14)),)
    corners_m = [0.0]
    for (x0, y0), (x1, y1) in pairwise(corners):
        corners_m.append(corners_m[-1] + ground.distance_m(x0, y0, x1, y1))
    return _Route(corners, tuple(corners_m), SpeedProfile(rng, stops), ground)


def _crossing_ends(rng: SeededRng, ground: GroundPlane, y0: float, y1: float) -> tuple[float, float]:
    """Returns x where a person leaves one pavement and reaches the other; on the zebra crossing if there is one."""
    if ground.crossing is None:
        x = rng.uniform(0.2, 0.8) * ground.width
        return x, x + rng.uniform(-0.06, 0.06)
    x = ground.crossing + rng.uniform(-1.2, 1.2) * ground.meter_at(ROAD[1])
    return ground.x_along_depth(x, ROAD[1], y0), ground.x_along_depth(x, ROAD[1], y1)


def _move_ends_outside(x: float, half_width: float, ground: GroundPlane) -> float:
    """Moves the ends of a route so far out that a person there is invisible; other corners stay."""
    if x <= -ground.margin:
        return x - half_width
    return x + half_width if x >= ground.width + ground.margin else x

"""The street behind `synthetic:street`: renders any frame, and knows exactly what is in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.color import guess
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import frame_code_area, write_frame_code
from streamdet.scenes.shapes import owner_extents
from streamdet.scenes.street.backdrop import draw_backdrop, phases
from streamdet.scenes.street.backdrop_canvas import BackdropCanvas
from streamdet.scenes.street.camera import SceneCamera
from streamdet.scenes.street.camera_effects import CameraEffects, through_jpeg
from streamdet.scenes.street.compositing import own
from streamdet.scenes.street.ground import FAR_BIKES, FAR_CARS, NEAR_BIKES, NEAR_CARS, GroundPlane
from streamdet.scenes.street.occluders import make_props
from streamdet.scenes.street.options import PLACES, TIMES, StreetOptions
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.sprite import Shadow, StreetSprite, lay, place
from streamdet.scenes.street.sprite_cache import Lighting, SpriteCache
from streamdet.scenes.street.trajectories import (
    CAR,
    CYCLIST,
    LABELS,
    PERSON,
    FigureState,
    Pedestrian,
    TrafficLane,
    make_lane,
    make_walker,
)
from streamdet.types import Detections

_LEAST_VISIBLE = 0.02
_MIX = (PERSON, CAR, PERSON, CYCLIST, PERSON, CAR, PERSON, CYCLIST)


@dataclass(frozen=True, slots=True, eq=False)
class StreetTruth:
    """What is in a frame, as parallel arrays.

    Attributes:
        boxes_xyxy: (N, 4) float32: extents of all of the figure that lies inside the picture, also where others hide
            it; pixels, right and bottom exclusive.
        visible_xyxy: (N, 4) float32: extents of what can be seen of it; zeros where nothing can.
        visible: (N,) float32: share of the figure's pixels that can be seen; what lies outside the picture cannot.
        class_ids: (N,) int32, indices into `labels`.
        track_ids: (N,) int64: an identity each, used once and never again.
        labels: names of the classes.
    """

    boxes_xyxy: NDArray[np.float32]
    visible_xyxy: NDArray[np.float32]
    visible: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    track_ids: NDArray[np.int64]
    labels: tuple[str, ...] = LABELS

    def detections(self, least_visible: float = _LEAST_VISIBLE) -> Detections:
        """Returns the full boxes of what can be seen to a share of at least `least_visible`, which is its score."""
        found = Detections(self.boxes_xyxy, self.visible, self.class_ids, self.track_ids, self.labels)
        return found[self.visible >= least_visible]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A sprite at left, top and size; `spot` where it is a figure."""

    sprite: StreetSprite
    at: tuple[float, float, float]
    spot: FigureState | None


class StreetScene:
    """Renders any frame of the scene and tells what is in it.

    Attributes:
        options: what the scene holds.
        place: where it is.
        time: of day.
    """

    labels = LABELS

    def __init__(self, options: StreetOptions) -> None:
        self.options = options
        rng = SeededRng(options.seed, "scene")
        place, time = rng.choice(PLACES), rng.choice(TIMES)
        self.place = place if options.place == "any" else options.place
        self.time = time if options.time == "any" else options.time
        self._color = guess(options.width, options.height)
        self._camera = SceneCamera(options)
        margins = self._camera.margin_x, self._camera.margin_y
        aspect = options.width / options.height
        camera_m = rng.uniform(3.4, 3.8) * max(1.0, 1.5 / aspect)  # farther away where the picture is narrow
        crossing = rng.uniform(0.3, 0.7) * aspect if self.place == "street" else None
        self._ground = GroundPlane(rng.uniform(0.235, 0.265), camera_m, aspect, margins[0] / options.height, crossing)
        light = _light(rng, self.time)
        board = BackdropCanvas((options.width, options.height), margins, light.tint, options.seed)
        draw_backdrop(board, self._ground, self.place, self.time)
        self._backdrop = phases(board, self._color, moves=any(margins))
        self._cast = SpriteCache(options.seed, light, self._color)
        props = make_props(options.seed, self._ground, options.height, self.place, light, self._color)
        self._props = [(prop, self._ground.metre_at(prop.y) * options.height) for prop in props]
        self._movers = _movers(options, self._ground)
        self._grade = CameraEffects(options)

    def render(self, index: int, captured_ms: int | None = None) -> Picture:
        """Returns frame `index` as an I420 picture of its own memory.

        Its number and `captured_ms` are written into it; without one it is the scene's own time in milliseconds.
        """
        options, time_s = self.options, self._time_s(index)
        picture = Picture.allocate(options.width, options.height, PixelFormat.I420, self._color)
        x, y = self._camera.offset(time_s)
        planes = self._backdrop[x % 2, y % 2]
        for k, (plane, source) in enumerate(zip(picture.planes, planes, strict=True)):
            left, top = (x - x % 2, y - y % 2) if k == 0 else (x // 2, y // 2)
            rows, columns = len(plane), picture.visible(k).shape[1]
            plane[:, :columns] = source[top : top + rows, left : left + columns]
        for placed in self._placed(time_s):
            lay(picture, placed.sprite, placed.at)
        self._grade.apply(picture, index, self._camera.brightness(time_s))
        if options.jpeg:
            through_jpeg(picture, options.jpeg)
        if captured_ms is None:
            captured_ms = round(1000 * index / options.fps)
        across, along = frame_code_area(options.width, options.height)
        for plane in picture.planes[1:]:  # black and white, whatever is behind
            plane[across.start // 2 : (across.stop + 1) // 2, along.start // 2 : (along.stop + 1) // 2] = 128
        write_frame_code(picture.planes[0], options.width, options.height, index, captured_ms)
        return picture

    def full_ground_truth(self, index: int) -> StreetTruth:
        """Returns everything that is at least partly inside frame `index`, however hidden."""
        height, width = self.options.height, self.options.width
        owners = np.full((height, width), -1, np.int8)
        spots: list[FigureState] = []
        measured: list[NDArray[np.int64]] = []
        for placed in self._placed(self._time_s(index)):
            found = np.empty(6, np.int64)
            own(owners, placed.sprite.body, *placed.at, len(spots) if placed.spot else -1, found)
            if placed.spot:
                spots.append(placed.spot)
                measured.append(found)
        owners[frame_code_area(width, height)] = -1
        seen = np.empty((len(spots), 5), np.int64)
        owner_extents(owners, seen)
        all_of = np.array(measured, np.int64).reshape(-1, 6)
        inside = all_of[:, 4] > 0
        seen[seen[:, 4] == 0] = 0
        ids = [spot.slot + spot.trip * self.options.objects for spot in spots]
        return StreetTruth(
            all_of[inside, :4].astype(np.float32),
            seen[inside, :4].astype(np.float32),
            (seen[inside, 4] / all_of[inside, 5]).astype(np.float32),
            np.array([spot.class_id for spot in spots], np.int32)[inside],
            np.array(ids, np.int64)[inside],
        )

    def ground_truth(self, index: int) -> Detections:
        """Returns what can be seen in frame `index`: full boxes inside the picture, `scores` the visible share.

        `track_ids` are identities: who comes back after leaving is somebody new. Figures of which less than one
        fiftieth can be seen are left out.
        """
        return self.full_ground_truth(index).detections()

    def _time_s(self, index: int) -> float:
        return float(index / self.options.fps)

    def _placed(self, time_s: float) -> list[_Placed]:
        """Returns all that is in front of the backdrop, the farthest first."""
        height = self.options.height
        offset = self._camera.offset(time_s)
        shift_x, shift_y = self._camera.margin_x - offset[0], self._camera.margin_y - offset[1]
        found = []
        for prop, scale in self._props:
            at = place(prop.sprite, round(prop.x * height) + shift_x, round(prop.y * height) + shift_y, scale)
            found.append((prop.y, _Placed(prop.sprite, at, None)))
        for mover in self._movers:
            for spot in mover.spots(time_s):
                scale = self._ground.metre_at(spot.y) * height
                x, y = spot.x * height + shift_x, spot.y * height + shift_y
                if -6 * scale < x < self.options.width + 6 * scale:
                    sprite = self._cast.sprite(spot, scale)
                    found.append((spot.y, _Placed(sprite, place(sprite, x, y, scale), spot)))
        return [placed for _, placed in sorted(found, key=lambda item: item[0])]


def _light(rng: SeededRng, time: str) -> Lighting:
    side = 1 if rng.bernoulli(0.5) else -1
    match time:
        case "day":
            return Lighting(
                (1.0, 1.0, 1.0), Shadow(side * rng.uniform(0.25, 0.75), rng.uniform(0.14, 0.24), 0.42), False
            )
        case "overcast":
            return Lighting((0.86, 0.89, 0.92), Shadow(0.0, 0.05, 0.30), False)
        case _:
            return Lighting((0.68, 0.61, 0.66), Shadow(side * 0.15, 0.10, 0.30), True)


def _movers(options: StreetOptions, ground: GroundPlane) -> list[Pedestrian | TrafficLane]:
    """Returns everybody."""
    rng = SeededRng(options.seed, "movers")
    kinds = [_MIX[slot % len(_MIX)] for slot in range(options.objects)]
    movers: list[Pedestrian | TrafficLane] = [
        make_walker(options.seed, ground, slot, place)
        for place, slot in enumerate(slot for slot, kind in enumerate(kinds) if kind == PERSON)
    ]
    keep_right = rng.bernoulli(0.5)
    for class_id, rows, speed in ((CYCLIST, (FAR_BIKES, NEAR_BIKES), 4.2), (CAR, (FAR_CARS, NEAR_CARS), 6.5)):
        slots = [slot for slot, kind in enumerate(kinds) if kind == class_id]
        first = int(rng.bernoulli(0.5))
        for k, y in enumerate(rows):
            users = tuple(slots[(k + first) % 2 :: 2])
            if users:
                left = (k == 0) == keep_right
                movers.append(make_lane(options.seed, ground, class_id, users, y, left, speed))
    return movers

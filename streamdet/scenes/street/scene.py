"""The scene of `synthetic:street`: renders any frame, with exact ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.color import assumed_color_space
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import frame_code_area, write_frame_code
from streamdet.scenes.shapes import owner_extents
from streamdet.scenes.street.backdrop import backdrop_phases, draw_backdrop
from streamdet.scenes.street.backdrop_canvas import BackdropCanvas
from streamdet.scenes.street.camera import SceneCamera
from streamdet.scenes.street.camera_effects import CameraEffects, recompress_jpeg
from streamdet.scenes.street.compositing import Placement, mark_figure
from streamdet.scenes.street.ground import FAR_BIKES, FAR_CARS, NEAR_BIKES, NEAR_CARS, GroundPlane
from streamdet.scenes.street.occluders import make_occluders
from streamdet.scenes.street.options import PLACES, TIMES, StreetOptions
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.sprite import Shadow, StreetSprite, composite, place_on_ground
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
    make_pedestrian,
)
from streamdet.types import Detections

_MIN_VISIBLE = 0.02
_MIX = (PERSON, CAR, PERSON, CYCLIST, PERSON, CAR, PERSON, CYCLIST)


@dataclass(frozen=True, slots=True, eq=False)
class StreetTruth:
    """Ground truth of a frame, as parallel arrays.

    Attributes:
        boxes_xyxy: (N, 4) float32: extents of the figure inside the picture, including hidden parts; pixels, right and
            bottom exclusive.
        visible_xyxy: (N, 4) float32: extents of its visible pixels; zeros if none is visible.
        visible: (N,) float32: visible share of all the figure's pixels; pixels outside the picture are not visible.
        class_ids: (N,) int32, indices into `labels`.
        track_ids: (N,) int64: identities, never reused.
        labels: names of the classes.
    """

    boxes_xyxy: NDArray[np.float32]
    visible_xyxy: NDArray[np.float32]
    visible: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    track_ids: NDArray[np.int64]
    labels: tuple[str, ...] = LABELS

    def detections(self, min_visible: float = _MIN_VISIBLE) -> Detections:
        """Returns full boxes of figures with a visible share of at least `min_visible`; the share is the score."""
        found = Detections(self.boxes_xyxy, self.visible, self.class_ids, self.track_ids, self.labels)
        return found[self.visible >= min_visible]


@dataclass(frozen=True, slots=True)
class _PlacedSprite:
    """A sprite in the picture; `state` is None for an occluder."""

    sprite: StreetSprite
    placement: Placement
    state: FigureState | None


class StreetScene:
    """Renders any frame of the scene and returns its ground truth.

    Attributes:
        options: content of the scene.
        place: one of `PLACES`.
        time: time of day, one of `TIMES`.
    """

    labels = LABELS

    def __init__(self, options: StreetOptions) -> None:
        self.options = options
        rng = SeededRng(options.seed, "scene")
        place, time = rng.choice(PLACES), rng.choice(TIMES)
        self.place = place if options.place == "any" else options.place
        self.time = time if options.time == "any" else options.time
        self._color = assumed_color_space(options.width, options.height)
        self._camera = SceneCamera(options)
        margins = self._camera.margin_x, self._camera.margin_y
        aspect = options.width / options.height
        camera_m = rng.uniform(3.4, 3.8) * max(1.0, 1.5 / aspect)  # higher for a narrow picture
        crossing = rng.uniform(0.3, 0.7) * aspect if self.place == "street" else None
        self._ground = GroundPlane(rng.uniform(0.235, 0.265), camera_m, aspect, margins[0] / options.height, crossing)
        lighting = _lighting(rng, self.time)
        canvas = BackdropCanvas((options.width, options.height), margins, lighting.tint, options.seed)
        draw_backdrop(canvas, self._ground, self.place, self.time)
        self._backdrop = backdrop_phases(canvas, self._color, moves=any(margins))
        self._sprites = SpriteCache(options.seed, lighting, self._color)
        occluders = make_occluders(options.seed, self._ground, options.height, self.place, lighting, self._color)
        self._occluders = [(occluder, self._ground.meter_at(occluder.y) * options.height) for occluder in occluders]
        self._movers = _movers(options, self._ground)
        self._effects = CameraEffects(options)

    def render(self, index: int, captured_ms: int | None = None) -> Picture:
        """Returns frame `index` as a newly allocated I420 picture with a frame code.

        The code holds the frame number and `captured_ms`, by default the scene's time in milliseconds.
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
            composite(picture, placed.sprite, placed.placement)
        self._effects.apply(picture, index, self._camera.brightness(time_s))
        if options.jpeg:
            recompress_jpeg(picture, options.jpeg)
        if captured_ms is None:
            captured_ms = round(1000 * index / options.fps)
        code_rows, code_columns = frame_code_area(options.width, options.height)
        for plane in picture.planes[1:]:  # the code is black and white
            plane[
                code_rows.start // 2 : (code_rows.stop + 1) // 2, code_columns.start // 2 : (code_columns.stop + 1) // 2
            ] = 128
        write_frame_code(picture.planes[0], options.width, options.height, index, captured_ms)
        return picture

    def full_ground_truth(self, index: int) -> StreetTruth:
        """Returns every figure that is at least partly inside frame `index`, even if hidden."""
        height, width = self.options.height, self.options.width
        owners = np.full((height, width), -1, np.int8)
        states: list[FigureState] = []
        measured: list[NDArray[np.int64]] = []
        for placed in self._placed(self._time_s(index)):
            measures = np.empty(6, np.int64)
            mark_figure(owners, placed.sprite.body, placed.placement, len(states) if placed.state else -1, measures)
            if placed.state:
                states.append(placed.state)
                measured.append(measures)
        owners[frame_code_area(width, height)] = -1
        visible = np.empty((len(states), 5), np.int64)
        owner_extents(owners, visible)
        full = np.array(measured, np.int64).reshape(-1, 6)
        inside = full[:, 4] > 0
        visible[visible[:, 4] == 0] = 0
        ids = [state.slot + state.trip * self.options.objects for state in states]
        return StreetTruth(
            full[inside, :4].astype(np.float32),
            visible[inside, :4].astype(np.float32),
            (visible[inside, 4] / full[inside, 5]).astype(np.float32),
            np.array([state.class_id for state in states], np.int32)[inside],
            np.array(ids, np.int64)[inside],
        )

    def ground_truth(self, index: int) -> Detections:
        """Returns the visible figures of frame `index`: boxes inside the picture, including hidden parts.

        `scores` are visible shares. `track_ids` are identities: a figure that comes back after leaving gets a new one.
        Figures of which less than one fiftieth is visible are left out.
        """
        return self.full_ground_truth(index).detections()

    def _time_s(self, index: int) -> float:
        return float(index / self.options.fps)

    def _placed(self, time_s: float) -> list[_PlacedSprite]:
        """Returns all sprites in front of the backdrop, the farthest first."""
        height = self.options.height
        offset = self._camera.offset(time_s)
        shift_x, shift_y = self._camera.margin_x - offset[0], self._camera.margin_y - offset[1]
        sprites = []
        for occluder, scale in self._occluders:
            placement = place_on_ground(
                occluder.sprite, round(occluder.x * height) + shift_x, round(occluder.y * height) + shift_y, scale
            )
            sprites.append((occluder.y, _PlacedSprite(occluder.sprite, placement, None)))
        for mover in self._movers:
            for state in mover.states_at(time_s):
                scale = self._ground.meter_at(state.y) * height
                x, y = state.x * height + shift_x, state.y * height + shift_y
                if -6 * scale < x < self.options.width + 6 * scale:
                    sprite = self._sprites.sprite(state, scale)
                    sprites.append((state.y, _PlacedSprite(sprite, place_on_ground(sprite, x, y, scale), state)))
        return [placed for _, placed in sorted(sprites, key=lambda item: item[0])]


def _lighting(rng: SeededRng, time: str) -> Lighting:
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
    """Returns all pedestrians and lanes of traffic."""
    rng = SeededRng(options.seed, "movers")
    kinds = [_MIX[slot % len(_MIX)] for slot in range(options.objects)]
    movers: list[Pedestrian | TrafficLane] = [
        make_pedestrian(options.seed, ground, slot, number)
        for number, slot in enumerate(slot for slot, kind in enumerate(kinds) if kind == PERSON)
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

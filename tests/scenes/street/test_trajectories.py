"""Trajectories of the figures in the street scene."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.scene import StreetScene
from streamdet.scenes.street.trajectories import SpeedProfile


@given(st.integers(0, 10**6), st.floats(0.2, 0.6), st.floats(0.05, 0.35))
def test_a_speed_profile_covers_the_distance_and_never_goes_back(seed, start, duration):
    profile = SpeedProfile(SeededRng(seed), ((start, duration),))
    distances = [profile.distance(k / 200) for k in range(201)]
    assert distances[0] == 0
    assert abs(distances[-1] - 1) < 1e-9
    assert all(a <= b for a, b in pairwise(distances))
    assert profile.speed(start + duration / 2) == 0
    assert max(profile.speed(k / 200) for k in range(200)) > 1


def test_figures_appear_and_vanish_only_at_the_sides():
    width = 160
    scene = StreetScene(StreetOptions(width=width, height=120, pan=0, shake=0, objects=16))
    before = scene.full_ground_truth(0)
    changes = 0
    for index in range(1, 900):
        now = scene.full_ground_truth(index)
        for one, other in ((now, before), (before, now)):
            known = set(other.track_ids.tolist())
            for box, track_id in zip(one.boxes_xyxy, one.track_ids.tolist(), strict=True):
                if track_id not in known:
                    changes += 1
                    assert box[0] == 0 or box[2] == width, (index, track_id)
        before = now
    assert changes > 30


def test_some_people_stand_still_and_some_cross_the_street():
    """In a scene with several people, one waits, and one comes nearer or walks away."""
    scene = StreetScene(StreetOptions(width=160, height=120, objects=16))
    speeds, depths = [], {}
    for time_s in range(60):
        for state in (state for mover in scene._movers for state in mover.states_at(float(time_s))):
            speeds.append(state.speed_m_s)
            depths.setdefault((state.slot, state.trip), []).append(state.y)
    assert min(speeds) == 0
    assert max(max(ys) - min(ys) for ys in depths.values()) > 0.25

"""How everybody in the street moves."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.scene import StreetScene
from streamdet.scenes.street.trajectories import SpeedProfile


@given(st.integers(0, 10**6), st.floats(0.2, 0.6), st.floats(0.05, 0.35))
def test_a_pace_goes_all_the_way_and_never_back(seed, begin, lasts):
    profile = SpeedProfile(SeededRng(seed), ((begin, lasts),))
    ways = [profile.distance(k / 200) for k in range(201)]
    assert ways[0] == 0
    assert abs(ways[-1] - 1) < 1e-9
    assert all(a <= b for a, b in pairwise(ways))
    assert profile.speed(begin + lasts / 2) == 0
    assert max(profile.speed(k / 200) for k in range(200)) > 1


def test_nobody_appears_or_vanishes_in_the_middle_of_the_picture():
    width = 160
    scene = StreetScene(StreetOptions(width=width, height=120, pan=0, shake=0, objects=16))
    before = scene.full_ground_truth(0)
    comings = 0
    for index in range(1, 900):
        now = scene.full_ground_truth(index)
        for one, other in ((now, before), (before, now)):
            known = set(other.track_ids.tolist())
            for box, track_id in zip(one.boxes_xyxy, one.track_ids.tolist(), strict=True):
                if track_id not in known:
                    comings += 1
                    assert box[0] == 0 or box[2] == width, (index, track_id)
        before = now
    assert comings > 30


def test_people_stand_still_and_cross_the_street():
    """Every scene of some people has somebody who waits and somebody who comes nearer or goes away."""
    scene = StreetScene(StreetOptions(width=160, height=120, objects=16))
    speeds, depths = [], {}
    for time_s in range(60):
        for state in (state for mover in scene._movers for state in mover.states_at(float(time_s))):
            speeds.append(state.speed_m_s)
            depths.setdefault((state.slot, state.trip), []).append(state.y)
    assert min(speeds) == 0
    assert max(max(ys) - min(ys) for ys in depths.values()) > 0.25

from streamdet.bench import motion


def test_motion_is_compared_with_opencv():
    title, timings, notes = motion.run(rounds=1)
    assert "720p" in title
    assert len(timings) == 5
    assert timings[0].ratio == 1
    assert all(timing.median_ms > 0 for timing in timings)
    difference_px = float(notes[0].split("end ")[1].split()[0])
    assert difference_px < 0.3  # both compute the same

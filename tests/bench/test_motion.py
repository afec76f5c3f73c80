from streamdet.bench import motion


def test_compares_a_frames_motion_with_opencv():
    title, timings, notes = motion.run(rounds=1)
    assert "720p" in title
    assert len(timings) == 5
    assert timings[0].ratio == 1
    assert all(timing.median_ms > 0 for timing in timings)
    apart = float(notes[0].split("end ")[1].split()[0])
    assert apart < 0.3  # two ways to do the same

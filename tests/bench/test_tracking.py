from streamdet.bench import tracking


def test_both_trackers_are_timed_at_both_sizes():
    title, timings, notes = tracking.run(1)
    assert title
    assert notes
    assert [t.name for t in timings] == [
        "streamdet, 20 objects",
        "plain numpy, 20 objects",
        "streamdet, 200 objects",
        "plain numpy, 200 objects",
    ]
    assert all(t.median_ms >= t.best_ms > 0 for t in timings)


def test_baseline_tracks_too():
    tracker = tracking.NumpyTracker.empty()
    frames = tracking.walkers(10)
    for frame in frames:
        ids = tracker.update(frame, 1 / tracking.RATE_HZ)
    # It removes no tracks, and nothing crosses within a second: about as many ids as objects.
    assert len(set(ids.tolist())) == len(frames[-1])
    assert tracker.next_id <= 15

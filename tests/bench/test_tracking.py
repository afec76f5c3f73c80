from streamdet.bench import tracking


def test_times_ours_and_the_rival_at_both_sizes():
    title, timings, remarks = tracking.run(1)
    assert title
    assert remarks
    assert [t.name for t in timings] == [
        "streamdet, 20 objects",
        "plain numpy, 20 objects",
        "streamdet, 200 objects",
        "plain numpy, 200 objects",
    ]
    assert all(t.median_ms >= t.best_ms > 0 for t in timings)


def test_the_rival_tracks_too():
    tracker = tracking.NumpyTracker.empty()
    frames = tracking.walkers(10)
    for frame in frames:
        ids = tracker.update(frame, 1 / tracking.RATE_HZ)
    # No track dies in it, and nothing crosses in a second: about as many ids as objects.
    assert len(set(ids.tolist())) == len(frames[-1])
    assert tracker.next_id <= 15

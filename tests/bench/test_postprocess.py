"""The benchmark of post-processing: its three candidates find the same detections under every load."""

from streamdet.bench.postprocess import LOADS, run


def test_all_candidates_agree():
    title, timings, notes = run(1)
    assert title
    candidates = ("streamdet", "numpy", "in-graph tail")
    assert [t.name for t in timings] == [f"{load}: {candidate}" for load in LOADS for candidate in candidates]
    assert all(t.median_ms > 0 for t in timings)
    for load in LOADS:
        note = next(note for note in notes if note.startswith(load))
        counts = [int(part.split()[0]) for part in note.partition("detections: ")[2].split(", ")]
        assert len(counts) == 3
        assert len(set(counts)) == 1, note
        assert counts[0] > 0

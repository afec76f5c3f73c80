"""The benchmark of post-processing: it runs, and its three candidates find the same."""

from streamdet.bench.postprocess import run


def test_all_candidates_agree():
    title, timings, notes = run(1)
    assert title
    assert [t.name for t in timings] == ["streamdet", "numpy", "in-graph tail (ONNX Runtime)"]
    assert all(t.median_ms > 0 for t in timings)
    counts = [int(part.split()[0]) for part in notes[1].partition("detections: ")[2].split(", ")]
    assert len(counts) == 3
    assert len(set(counts)) == 1
    assert counts[0] > 10

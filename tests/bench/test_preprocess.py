"""The benchmark of pre-processing: its candidates compute the same tensor."""

import numpy as np

from streamdet.bench import preprocess
from streamdet.detect.preprocess import Preprocessor


def test_baselines_compute_the_same_tensor():
    picture = preprocess.synthetic_picture()
    ours = np.empty((1, 3, 1200, 1200), np.float32)
    Preprocessor(preprocess.SPEC)(picture, ours[0])
    levels = np.array(preprocess.SPEC.std, np.float32).reshape(1, 3, 1, 1)  # one gray level is 1 / std
    assert np.abs((ours - preprocess._with_numpy(picture.bgr())) * levels).max() <= 2.0  # OpenCV rounds twice
    assert np.abs(ours - preprocess._blob(picture.bgr())).mean() < 0.05  # one scale for all channels


def test_every_candidate_is_timed():
    title, timings, notes = preprocess.run(1)
    assert "1080" in title
    assert timings[0].name.startswith("streamdet")
    assert timings[-1].name.startswith("floor")
    assert all(timing.median_ms > 0 for timing in timings)
    assert any("GB/s" in note for note in notes)

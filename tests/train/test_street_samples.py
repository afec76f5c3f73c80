"""Training samples from rendered street scenes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from streamdet.evaluate.street import FIRST_TRAINING_SEED, HELD_OUT
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.scenes.street.scene import StreetTruth
from streamdet.scenes.street.trajectories import LABELS
from streamdet.train import street_samples
from streamdet.train.street_samples import CROPS_PER_SCENE, StreetSamples, kept_share, objects_in

CONFIG = SmallSsdConfig(LABELS, 128, 96)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    progress = []
    path = tmp_path_factory.mktemp("street") / "pictures.npy"
    samples = StreetSamples(CONFIG, path, 2, on_progress=lambda done, total: progress.append((done, total)))
    assert progress == [(1, 2), (2, 2)]
    return samples


def test_pictures_and_their_objects(samples):
    assert len(samples) == 2 * CROPS_PER_SCENE
    everything = [samples.objects(index) for index in range(len(samples))]
    for index, objects in enumerate(everything):
        picture = samples.picture(index)
        assert (picture.shape, picture.dtype) == ((96, 128, 3), np.uint8)
        assert picture.std() > 5
        assert len(objects.boxes_xyxy) == len(objects.class_ids) == len(objects.ignored)
        assert ((objects.boxes_xyxy >= 0) & (objects.boxes_xyxy <= 1)).all()
        assert (objects.boxes_xyxy[:, 2:] > objects.boxes_xyxy[:, :2]).all()
        assert (objects.boxes_xyxy.dtype, objects.class_ids.dtype) == (np.float32, np.int64)
        assert set(objects.class_ids.tolist()) <= {0, 1, 2}
    assert sum(len(objects.class_ids) for objects in everything) > 2 * CROPS_PER_SCENE
    assert not all(objects.ignored.all() for objects in everything)
    pictures = [samples.picture(index).tobytes() for index in range(len(samples))]
    assert len(set(pictures)) == len(pictures)


def test_the_same_seed_gives_the_same_samples(samples):
    pictures, objects = street_samples._render_scene((CONFIG.width, CONFIG.height, FIRST_TRAINING_SEED + 1))
    for k in range(CROPS_PER_SCENE):
        np.testing.assert_array_equal(pictures[k], samples.picture(CROPS_PER_SCENE + k))
        np.testing.assert_array_equal(objects[k].boxes_xyxy, samples.objects(CROPS_PER_SCENE + k).boxes_xyxy)
        np.testing.assert_array_equal(objects[k].ignored, samples.objects(CROPS_PER_SCENE + k).ignored)


@pytest.mark.parametrize("seed", [0, 1, 1000])
def test_held_out_scenes_are_never_rendered_for_training(monkeypatch, tmp_path, seed):
    pytest.importorskip("torch", reason="streamdet.train.job needs PyTorch")
    from streamdet.train import job

    class FakeSamples(StreetSamples):
        def __init__(self, config, path, scenes, first_seed, on_progress):
            self.seeds = range(first_seed, first_seed + scenes)

        def close(self): ...

    monkeypatch.setattr(job, "StreetSamples", FakeSamples)
    with job.demo_samples(tmp_path, 100, seed) as samples:
        assert len(samples.seeds) == 100
        assert samples.seeds[0] > max(HELD_OUT.seeds)
        assert not set(samples.seeds) & set(HELD_OUT.seeds)
    if seed:
        with job.demo_samples(tmp_path, 100, seed - 1) as others:
            assert not set(samples.seeds) & set(others.seeds)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the mapped files from /proc")
def test_close_unmaps_the_file(monkeypatch, tmp_path):
    """Windows cannot delete a mapped file, and the pictures of a training take gigabytes."""
    monkeypatch.setattr(street_samples, "_rendered", lambda jobs: iter(()))

    def mapped():
        return str(tmp_path) in Path("/proc/self/maps").read_text()

    samples = StreetSamples(CONFIG, tmp_path / "pictures.npy", 1)
    assert mapped()
    samples.close()
    assert not mapped()
    assert len(samples) == 0


def test_scenes_have_consecutive_seeds(monkeypatch, tmp_path):
    submitted = []

    class Pool:
        def __init__(self, *_, **__): ...

        def __enter__(self):
            return self

        def __exit__(self, *_): ...

        def map(self, function, jobs, chunksize):
            submitted.extend(jobs)
            return []

    monkeypatch.setattr(street_samples, "ProcessPoolExecutor", Pool)
    StreetSamples(CONFIG, tmp_path / "pictures.npy", 3)
    assert submitted == [(128, 96, FIRST_TRAINING_SEED + k) for k in range(3)]


def truth_of(boxes, visible):
    boxes = np.array(boxes, np.float32)
    numbers = np.arange(len(boxes))
    return StreetTruth(boxes, boxes, np.array(visible, np.float32), (numbers % 3).astype(np.int32), numbers)


def test_objects_in_a_crop():
    boxes = [(100, 50, 200, 150), (150, 50, 250, 150), (0, 0, 90, 40), (290, 140, 310, 160), (100, 50, 120, 60)]
    objects = objects_in(truth_of(boxes, [1, 1, 1, 1, 0.2]), 100, 50, 200, 100)
    # complete; complete; outside; a quarter inside; mostly hidden
    np.testing.assert_allclose(
        objects.boxes_xyxy, [[0, 0, 0.5, 1], [0.25, 0, 0.75, 1], [0.95, 0.9, 1, 1], [0, 0, 0.1, 0.1]], atol=1e-6
    )
    assert objects.class_ids.tolist() == [0, 1, 0, 1]
    assert objects.ignored.tolist() == [False, False, False, True]
    hidden = objects_in(truth_of(boxes[3:4], [0.9]), 100, 50, 200, 100)
    assert hidden.ignored.tolist() == [True]


def test_kept_share():
    boxes = np.array([[0, 0, 1, 1], [-0.5, 0, 0.5, 1], [0.5, 0.5, 1.5, 1.5], [2, 2, 3, 3], [0.5, 0.5, 0.5, 0.9]])
    np.testing.assert_allclose(kept_share(boxes.astype(np.float32)), [1, 0.5, 0.25, 0, 0])

"""Small networks learn, and the written file contains what they learned."""

import json
import math
from dataclasses import replace

import numpy as np
import onnx
import pytest

from streamdet.boxes import pairwise_iou
from streamdet.errors import HardwareError, SinkError, UsageError
from streamdet.evaluate.ground_truth import read_ground_truth
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.inference.providers import available_cpus
from streamdet.models.ssd_small import SmallSsdConfig, stored_weights
from streamdet.picture import Picture
from streamdet.train.coco import CocoSamples
from tests.models.small import random_weights
from tests.train.sample_data import COLORS, ListSamples, objects_of, rectangles, write_rectangles

torch = pytest.importorskip("torch", reason="training needs PyTorch")
from streamdet.train import job, training_loop  # noqa: E402
from streamdet.train.job import TRAINED_KEY, demo_samples, labels_of, run_job  # noqa: E402
from streamdet.train.network import SmallSsd  # noqa: E402
from streamdet.train.training_loop import Recipe, train  # noqa: E402

CONFIG = SmallSsdConfig(tuple(COLORS), 96, 64)
QUICK = Recipe(epochs=2, batch=2, device="cpu")


@pytest.fixture(scope="module", autouse=True)
def restore_pytorch_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def few_samples(count=4):
    items = list(rectangles(count, CONFIG.width, CONFIG.height))
    size = np.array([CONFIG.width, CONFIG.height] * 2)
    return ListSamples([picture for picture, _, _ in items], [objects_of(b / size, c) for _, b, c in items])


@pytest.mark.timeout(300)
def test_learns_to_detect_rectangles_in_new_pictures(tmp_path):
    samples = CocoSamples(CONFIG, read_ground_truth(write_rectangles(tmp_path, 32)), tmp_path)
    recipe = Recipe(epochs=36, batch=8, rate=3e-3, seed=1, device="cpu", threads=1)
    steps = []
    path = tmp_path / "rectangles.onnx"
    run_job(CONFIG, samples, recipe, path, "rectangles", on_step=steps.append)
    assert [step.done for step in steps] == list(range(1, 36 * 4 + 1))
    assert {step.total for step in steps} == {36 * 4}
    assert (steps[0].epoch, steps[-1].epoch) == (1, 36)
    assert steps[-1].score_loss < 0.7 * steps[0].score_loss
    assert steps[-1].box_loss < 0.6 * steps[0].box_loss

    detected = expected = wrong = 0
    with load_detector(path, DetectorOptions(conf=0.4)) as detector:
        assert detector.spec.labels == tuple(COLORS)
        for picture, boxes, class_ids in rectangles(20, 128, 96, seed=99):
            (answer,) = detector.detect([Picture.from_bgr(np.ascontiguousarray(picture[..., ::-1]))])
            detections = answer.detections
            matches = pairwise_iou(boxes.astype(np.float32), detections.boxes_xyxy) > 0.5
            matches &= np.array(class_ids)[:, None] == detections.class_ids
            expected += len(boxes)
            detected += int(matches.any(axis=1).sum())
            wrong += int((~matches.any(axis=0)).sum())
    assert detected >= 0.8 * expected
    assert wrong <= 0.2 * expected


def test_file_is_written_after_each_epoch_and_records_its_recipe(tmp_path):
    path = tmp_path / "small.onnx"
    files = []
    seen = []

    def on_step(step):
        seen.append(step.epoch)
        files.append(path.read_bytes() if path.exists() else b"")

    unmatched = run_job(CONFIG, few_samples(), QUICK, path, "four pictures", on_step=on_step)
    assert seen == [1, 1, 2, 2]
    assert files[0] == files[1] == b""
    assert files[2] == files[3] != path.read_bytes()
    assert set(unmatched) == set(random_weights(CONFIG))
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]
    for data, epochs in ((files[2], 1), (path.read_bytes(), 2)):
        metadata = {entry.key: entry.value for entry in onnx.load_model_from_string(data).metadata_props}
        recorded = json.loads(metadata[TRAINED_KEY])
        assert (recorded["epochs"], recorded["epochs_done"], recorded["batch"], recorded["seed"]) == (2, epochs, 2, 0)
        assert (recorded["pictures"], recorded["learned_from"]) == (4, "four pictures")
        assert not {"device", "threads"} & set(recorded)


def test_the_same_seed_gives_the_same_weights(tmp_path):
    recipe = Recipe(epochs=1, batch=2, device="cpu", threads=1)
    once, again = (train(SmallSsd(CONFIG, 3), few_samples(), recipe).weights() for _ in range(2))
    for name, values in once.items():
        np.testing.assert_allclose(values, again[name], rtol=1e-4, atol=1e-6)
    assert np.abs(once["stem0.weight"] - SmallSsd(CONFIG, 3).weights()["stem0.weight"]).max() > 1e-4


def test_training_continues_from_the_start_weights(tmp_path):
    """With a tiny learning rate, weights do not change, except for the heads of other classes."""
    start = random_weights(CONFIG, 8)
    recipe = Recipe(epochs=1, batch=2, rate=1e-9, device="cpu")
    assert run_job(CONFIG, few_samples(), recipe, tmp_path / "a.onnx", "x", start) == []
    other = SmallSsdConfig(("one", "two", "three"), CONFIG.width, CONFIG.height)
    unmatched = run_job(other, few_samples(), recipe, tmp_path / "b.onnx", "x", start)
    assert sorted(unmatched) == sorted(f"conf{i}.{part}" for i in range(4) for part in ("weight", "bias"))
    for name in ("a.onnx", "b.onnx"):
        after = stored_weights(onnx.load(tmp_path / name))
        for weight in ("stem0.weight", "stage2.0.b.gamma", "loc3.bias"):
            np.testing.assert_allclose(after[weight], start[weight], atol=1e-5)


def test_too_small_a_batch_is_rejected(tmp_path):
    config = SmallSsdConfig(tuple(COLORS), 64, 64)  # its coarsest map has one cell
    samples = ListSamples([np.zeros((64, 64, 3), np.uint8)], [objects_of([(0, 0, 0.5, 0.5)])])
    with pytest.raises(UsageError, match="batches of one picture of 64x64 are too small to train with"):
        run_job(config, samples, QUICK, tmp_path / "x.onnx", "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", ""])
def test_missing_devices_are_rejected(device):
    with pytest.raises(HardwareError, match=f"PyTorch has no device '{device}' here"):
        train(SmallSsd(CONFIG), few_samples(2), Recipe(epochs=1, device=device))


def test_a_full_disk_leaves_the_previous_model(tmp_path, monkeypatch):
    path = tmp_path / "small.onnx"
    run_job(CONFIG, few_samples(), Recipe(epochs=1, batch=2, device="cpu"), path, "x")
    before = path.read_bytes()

    def full(self, data):
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(SinkError, match=r"cannot write .*small\.onnx: No space left on device"):
        run_job(CONFIG, few_samples(), Recipe(epochs=1, batch=2, device="cpu"), path, "x")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]


@pytest.mark.parametrize(("option", "threads"), [(1, 1), (3, 3), (0, max(2, available_cpus()))])
def test_threads_option_sets_the_batch_threads(monkeypatch, option, threads):
    class Created(Exception): ...

    def batches(samples, default_boxes, size, seed, threads):
        raise Created(threads)

    monkeypatch.setattr(training_loop, "Batches", batches)
    with pytest.raises(Created, match=f"^{threads}$"):
        train(SmallSsd(CONFIG), few_samples(), replace(QUICK, threads=option))


def test_too_high_a_learning_rate_is_reported_and_leaves_no_file(tmp_path):
    with pytest.raises(UsageError, match=r"loss is not finite after \d+ steps: give a lower learning rate"):
        run_job(CONFIG, few_samples(8), Recipe(4, 2, rate=1e30, device="cpu"), tmp_path / "small.onnx", "x")
    assert not list(tmp_path.iterdir())


def test_rendered_pictures_need_disk_space_and_are_deleted_afterwards(tmp_path, monkeypatch):
    class FakeSamples:
        def __init__(self, config, path, *_):
            path.write_bytes(b"pictures")
            self.path = path
            self.closed = False

        def close(self):
            assert self.path.is_file()
            self.closed = True

    monkeypatch.setattr(job, "StreetSamples", FakeSamples)
    with pytest.raises(RuntimeError, match="during training"), demo_samples(tmp_path, 1) as samples:  # noqa: PT012
        assert samples.path.is_relative_to(tmp_path)
        raise RuntimeError("during training")
    assert samples.closed
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(job.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    with (
        pytest.raises(SinkError, match=r"need 2\.6 GB .*, only 0\.0 GB are free: .* fewer --scenes"),
        demo_samples(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("categories", "wanted", "labels"),
    [
        pytest.param({5: "b", 2: "a", 9: "c"}, (), ("a", "b", "c"), id="in order of category id"),
        pytest.param({5: "b", 2: "a", 9: "c"}, ("c", "a"), ("a", "c"), id="subset"),
        pytest.param({1: "a b"}, ("a b",), ("a b",), id="name with a space"),
        pytest.param({1: "a", 2: "b\n"}, ("a",), ("a",), id="bad name of an unwanted category"),
    ],
)
def test_labels_of(categories, wanted, labels):
    assert labels_of(categories, wanted) == labels


@pytest.mark.parametrize(
    ("categories", "wanted", "message"),
    [
        pytest.param({1: "a", 2: "a"}, (), "two categories", id="duplicate name"),
        pytest.param(
            {1: "a", 2: "b"}, ("a", "dog"), "'dog' is not a category of the annotations, which are: a, b", id="unknown"
        ),
        pytest.param({1: "a\x1b[31m"}, (), "printable characters", id="control characters"),
        pytest.param({1: "a" * 101}, (), "up to 100 printable characters", id="name too long"),
    ],
)
def test_labels_of_rejects_bad_classes(categories, wanted, message):
    with pytest.raises(UsageError, match=message):
        labels_of(categories, wanted)


def test_losses_stay_finite_for_an_empty_box():
    samples = ListSamples([np.zeros((64, 96, 3), np.uint8)] * 2, [objects_of([(0.5, 0.5, 0.5, 0.5)])] * 2)
    steps = []
    train(SmallSsd(CONFIG), samples, QUICK, steps.append)
    assert all(math.isfinite(step.score_loss + step.box_loss) for step in steps)

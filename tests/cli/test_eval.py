"""`streamdet eval coco` and the progress of evaluations."""

import json
import signal

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from streamdet.cli.eval import app
from streamdet.cli.eval.eval_progress import EvalProgress
from streamdet.cli.eval.print_coco import coco_lines
from streamdet.evaluate.coco_ap import CocoNumbers
from streamdet.models.bundled import SHAPES_MODEL
from tests.evaluate.coco_files import write_scene
from tests.running import Running


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    return folder, write_scene(folder)


def run(*arguments):
    result = CliRunner().invoke(app, ["coco", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_writes_results_report_plot_and_detections(scene, tmp_path):
    folder, annotations = scene
    names = {"--results": "results.json", "--report": "report.json", "--plot": "pr.png", "--detections": "run.jsonl"}
    written = [argument for option, name in names.items() for argument in (option, tmp_path / name)]
    text = run("-m", SHAPES_MODEL, "--images", folder, "-a", annotations, *written)
    for name in names.values():
        assert f"wrote {tmp_path / name}" in text
    assert " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0." in text
    for words in ("6 images of", "score above 0.01", "top 200 per image", "coco_precision", "disc", "triangle"):
        assert words in text

    report = json.loads((tmp_path / "report.json").read_text())
    assert report["coco"]["ap50"] > 0.9
    assert report["run"]["model"] == SHAPES_MODEL
    assert (report["images"], report["published"], report["comparable_with_published"]) == (6, [], False)
    assert [row["name"] for row in report["classes"]] == ["disc", "box", "triangle"]
    assert report["timing"]["infer_ms"] > 0

    rows = json.loads((tmp_path / "results.json").read_text())
    assert len(rows) == report["detections"]
    assert set(rows[0]) == {"image_id", "category_id", "bbox", "score"}
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 7

    again = run("-m", SHAPES_MODEL, "--images", folder, "-a", annotations, *written)
    assert "images whose detections were loaded from an earlier run: 6" in again


def test_plot_has_colored_curves(scene, tmp_path):
    run("-m", SHAPES_MODEL, "--images", scene[0], "-a", scene[1], "--plot", tmp_path / "pr.png")
    picture = cv2.imread(str(tmp_path / "pr.png"))
    height, width = picture.shape[:2]
    assert width > 1000
    assert height > 500
    for half in (picture[:, : width // 2], picture[:, width // 2 :]):
        colorful = half.max(axis=2).astype(int) - half.min(axis=2) > 60
        assert colorful.sum() > 500


def test_mismatches_of_classes_and_images_are_reported(scene, tmp_path):
    tree = json.loads(scene[1].read_text())
    tree["categories"][0]["name"] = "sphere"
    tree["images"].append({"id": 99, "file_name": "gone.png"})
    (tmp_path / "truth.json").write_text(json.dumps(tree))
    text = run("-m", SHAPES_MODEL, "--images", scene[0], "-a", tmp_path / "truth.json", "--allow-missing")
    assert "images skipped because they are not in the folder: 1" in text
    assert "classes of the model that are not in the annotations, ignored: disc" in text
    assert "categories of the annotations that the model does not have, counted as missed: sphere" in text


def test_published_figures_are_printed_and_not_compared_with_a_subset(data_dir):
    images = data_dir / "images"
    model = data_dir / "models" / "yolox_nano.onnx"
    text = run("-m", model, "--images", images, "-a", images / "instances.json", "--max-images", 8, "-d", "cpu")
    assert "0.2580  YOLOX" in text
    assert "score above 0.01, NMS at IoU 0.65" in text
    assert "for all 5000 images of val2017; they are not comparable with these" in text


def test_coco_lines_equal_those_of_pycocotools(capsys):
    from pycocotools.cocoeval import COCOeval, Params

    evaluation = COCOeval(iouType="bbox")
    evaluation.params = Params(iouType="bbox")
    rng = np.random.default_rng(5)
    evaluation.eval = {"precision": rng.random((10, 101, 2, 4, 3)), "recall": rng.random((10, 2, 4, 3))}
    evaluation.summarize()
    printed = capsys.readouterr().out.splitlines()
    assert coco_lines(CocoNumbers(*evaluation.stats)) == printed


def test_progress_without_a_known_total(capsys):
    now = iter([0.0, *[float(second) for second in range(1, 1202)]])
    with EvalProgress(clock=lambda: next(now)) as progress:
        for done in range(1201):
            progress(done, 0)
        progress(1201, 1201)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "31 images, 1.00/s"
    assert [line for line in lines if "computing the metrics" in line] == lines[-1:]
    progress = EvalProgress(announce_metrics=False)
    progress(2000, 2000)
    assert capsys.readouterr().err == ""


def test_progress_without_a_terminal_is_a_line_every_30_s(capsys):
    now = iter([0.0, 10.0, 40.0, 41.0, 45.0])
    with EvalProgress(clock=lambda: next(now)) as progress:
        for done in range(20, 25):
            progress(done, 100)
    assert capsys.readouterr().err == "22 of 100 images, 0.05/s, about 26 min left\n"
    assert (progress.done, progress.total) == (24, 100)


def test_ctrl_c_keeps_finished_detections(scene, tmp_path):
    """A run of many images is stopped; the same command then infers the others only."""
    tree = json.loads(scene[1].read_text())
    images = [{**tree["images"][i % 6], "id": i + 1} for i in range(4000)]
    (tmp_path / "many.json").write_text(json.dumps({**tree, "images": images}))
    kept = tmp_path / "run.jsonl"
    arguments = ("-m", SHAPES_MODEL, "--images", scene[0], "-a", tmp_path / "many.json", "--detections", kept)
    with Running("eval", "coco", *arguments, folder=tmp_path) as running:
        running.wait_for_records(kept, 20)
        running.signal(signal.SIGINT)
        assert running.ends() == 130
    assert "of 4000 images; the same command resumes there" in running.stderr
    done = len(kept.read_text().splitlines()) - 1
    assert 20 <= done + 1 < 4000
    text = run(*arguments, "--max-images", 10)
    assert "images whose detections were loaded from an earlier run: 10" in text

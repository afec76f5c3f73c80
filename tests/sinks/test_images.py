"""Image files: names, content and failures."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamdet.color import ColorSpace
from streamdet.errors import SinkError, UsageError
from streamdet.picture import Picture
from streamdet.sinks.images import ImageSink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles
from tests.sinks.samples import info, result


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def write(target: str, results, **kwargs) -> ImageSink:
    with ImageSink(target, **kwargs) as sink:
        sink.open(info(frame_count=len(results)))
        for one in results:
            sink.write(one)
    return sink


def test_a_pattern_contains_the_index_of_the_frame(tmp_path):
    write(f"{tmp_path}/f%04d.png", [result(n) for n in (0, 1, 17)])
    assert names(tmp_path) == ["f0000.png", "f0001.png", "f0017.png"]


def test_the_folder_is_created_and_frames_are_named_after_their_source(tmp_path):
    sink = write(f"{tmp_path}/new/", [result(n) for n in (0, 1)])
    assert names(tmp_path / "new") == ["cam-000000.jpg", "cam-000001.jpg"]
    assert sink.files == [tmp_path / "new"]


def test_images_keep_the_names_of_their_input_files(tmp_path):
    files = ["a.png", "b.JPG", "c.bmp", "sub/a.png", "c.tif"]
    write(f"{tmp_path}/out/", [result(n, file=Path("/photos") / name) for n, name in enumerate(files)])
    assert names(tmp_path / "out") == ["a-000003.png", "a.png", "b.jpg", "c-000004.jpg", "c.jpg"]


def test_source_names_cannot_write_outside_the_folder(tmp_path):
    one = result(0)
    object.__setattr__(one.frame, "source", "../../etc/rtsp://cam\n1")
    write(f"{tmp_path}/out/", [one])
    assert names(tmp_path / "out") == ["etc-rtsp-cam-1-000000.jpg"]


def test_colors_and_size_are_kept(tmp_path):
    bgr = np.zeros((37, 53, 3), np.uint8)
    bgr[:, :26], bgr[:, 26:] = (0, 0, 255), (200, 10, 10)
    write(f"{tmp_path}/out.png", [result(0, shown=Picture.from_bgr(bgr))])
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png")), bgr)
    i420 = Picture.from_bgr(bgr, ColorSpace()).copy(Picture.from_bgr(bgr).format)
    write(f"{tmp_path}/out.jpg", [result(0, shown=i420)], options=SinkOptions(jpeg_quality=100))
    assert np.abs(cv2.imread(str(tmp_path / "out.jpg"))[18, [5, 45]].astype(int) - bgr[18, [5, 45]]).max() < 6


def test_jpeg_quality_changes_the_file_size(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for quality in (20, 95):
        one = result(0, shown=Picture.from_bgr(noise))
        write(f"{tmp_path}/{quality}.jpg", [one], options=SinkOptions(jpeg_quality=quality))
    assert (tmp_path / "95.jpg").stat().st_size > 2 * (tmp_path / "20.jpg").stat().st_size


def test_a_single_image_is_written(tmp_path):
    sink = write(f"{tmp_path}/out.jpg", [result(0)])
    assert sink.files == [tmp_path / "out.jpg"]
    assert names(tmp_path) == ["out.jpg"]


@pytest.mark.parametrize("changes", [{"frame_count": 2}, {"live": True}], ids=["clip", "camera"])
def test_a_single_image_for_a_video_is_refused_on_open(tmp_path, changes):
    with pytest.raises(SinkError, match=r"is a single image, and cam has more frames; write .*%06d\.jpg or a video"):
        ImageSink(f"{tmp_path}/out.jpg").open(info(**changes))


def test_a_single_image_refuses_a_second_frame(tmp_path):
    with ImageSink(f"{tmp_path}/out.jpg") as sink:
        sink.open(info())
        sink.write(result(0))
        with pytest.raises(SinkError, match="is a single image, and there are more frames"):
            sink.write(result(1))
    assert names(tmp_path) == ["out.jpg"]


@pytest.mark.parametrize("name", ["%s.jpg", "%d-%d.jpg", "100%.jpg", "%6x.png", "%.jpg", "%%d.jpg"])
def test_invalid_patterns_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="a pattern must contain one number such as %06d"):
        ImageSink(f"{tmp_path}/{name}")


def test_existing_images_are_kept_without_overwrite(tmp_path):
    (tmp_path / "f0.jpg").write_bytes(b"precious")
    with ImageSink(f"{tmp_path}/f%d.jpg", SinkOptions(overwrite=False)) as sink:
        sink.open(info())
        with pytest.raises(SinkError, match="exists already"):
            sink.write(result(0))
    assert (tmp_path / "f0.jpg").read_bytes() == b"precious"


def test_never_overwrites_an_input_image(tmp_path):
    source = tmp_path / "f0.jpg"
    source.write_bytes(b"precious")
    with ImageSink(f"{tmp_path}/f%d.jpg", inputs=InputFiles([source])) as sink:
        sink.open(info())
        with pytest.raises(SinkError, match="is a file being read"):
            sink.write(result(0))
    assert source.read_bytes() == b"precious"


def test_a_full_disk_leaves_no_incomplete_image(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    with ImageSink(f"{tmp_path}/f%d.png") as sink:
        sink.open(info())
        sink.write(result(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        try:
            with pytest.raises(SinkError, match="the disk is full"):
                sink.write(result(1, shown=Picture.from_bgr(noise)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["f0.png"]


def test_a_picture_too_large_for_jpeg_is_an_error(tmp_path):
    wide = np.zeros((1, 70000, 3), np.uint8)
    with ImageSink(f"{tmp_path}/out/") as sink:
        sink.open(info(70000, 1, time_base=Fraction(1, 25)))
        with pytest.raises(SinkError, match="cannot write"):
            sink.write(result(0, shown=Picture.from_bgr(wide)))
    assert names(tmp_path) == []

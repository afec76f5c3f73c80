"""Checks of output paths."""

import os

import pytest

from streamdet.errors import UsageError
from streamdet.sinks.factory import check_distinct
from streamdet.sinks.output_path import InputFiles


def test_inputs_are_recognized_under_every_name(tmp_path):
    file, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    file.touch()
    other.touch()
    (tmp_path / "link.jpg").symlink_to(file)
    (tmp_path / "hardlink.jpg").hardlink_to(file)
    inputs = InputFiles([file, tmp_path / "gone.jpg"])
    assert file in inputs
    assert tmp_path / "link.jpg" in inputs
    assert tmp_path / "hardlink.jpg" in inputs
    assert tmp_path / ".." / tmp_path.name / "a.jpg" in inputs
    assert other not in inputs
    assert tmp_path / "gone.jpg" not in inputs
    assert tmp_path / ("x" * 3000) not in inputs


def test_only_images_make_their_folder_an_input_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    inputs = InputFiles([tmp_path / "clip.mp4", tmp_path / "sub" / "a.png"])
    assert inputs.contain_images_of(tmp_path / "sub")
    assert not inputs.contain_images_of(tmp_path)
    assert not InputFiles().contain_images_of(tmp_path)


@pytest.mark.parametrize(
    "uris",
    [
        ["a.mp4", "a.mp4"],
        ["a.mp4", "b.jsonl", "./a.mp4"],
        ["{folder}/a.mp4", "a.mp4"],
        ["frames/", "frames"],
        ["link.mp4", "existing.mp4"],
        ["hardlink.mp4", "existing.mp4"],
    ],
)
def test_two_outputs_to_one_file_are_refused(tmp_path, monkeypatch, uris):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "existing.mp4").touch()
    (tmp_path / "link.mp4").symlink_to("existing.mp4")
    os.link("existing.mp4", "hardlink.mp4")
    with pytest.raises(UsageError, match="two outputs would write"):
        check_distinct([uri.format(folder=tmp_path) for uri in uris])


def test_different_outputs_are_accepted():
    check_distinct(["a.mp4", "a.mkv", "a.jsonl", "b/a.mp4", "null:", "null:", "window:", "window:"])

"""The contract of every sink (`streamdet/sinks/base.py`)."""

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from streamdet.errors import SinkError, StreamdetError, UsageError
from streamdet.picture import PixelFormat
from streamdet.sinks import window
from streamdet.sinks.base import Sink
from streamdet.sinks.factory import create_sink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles
from tests.sinks.samples import decoded, info, picture, result, times

FILES = {"mp4": "out.mp4", "mov": "out.mov", "mkv": "out.mkv", "jsonl": "out.jsonl"}
PICTURES = {"pattern": "%04d.png", "folder": "pictures/"}
URIS = {**FILES, **PICTURES, "null": "null:", "window": "window:"}


class Screen:
    """Replaces OpenCV's windows, and records the shape of each shown picture."""

    error, WND_PROP_VISIBLE = cv2.error, 4
    WINDOW_NORMAL, WINDOW_KEEPRATIO, WINDOW_GUI_NORMAL = 0, 0, 16

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []
        self.windows: set[str] = set()

    def namedWindow(self, name: str, flags: int) -> None:
        self.windows.add(name)

    def resizeWindow(self, name: str, width: int, height: int) -> None:
        assert name in self.windows

    def imshow(self, name: str, bgr: np.ndarray) -> None:
        assert name in self.windows
        self.shown.append(bgr.shape)

    def waitKey(self, delay: int) -> int:
        return -1

    def getWindowProperty(self, name: str, property: int) -> float:
        return float(name in self.windows)

    def destroyWindow(self, name: str) -> None:
        self.windows.remove(name)


@pytest.fixture(params=URIS)
def case(request, tmp_path, monkeypatch):
    """One sink that is not open yet; `count()` is the number of results it has written so far."""
    kind, uri = request.param, URIS[request.param]
    screen = Screen()
    monkeypatch.setattr(window, "_usable_cv2", lambda: screen)
    sink = create_sink(uri if uri.endswith(":") else f"{tmp_path}/{uri}")
    counts = {
        **dict.fromkeys(("mp4", "mov", "mkv"), lambda: len(times(tmp_path / uri))),
        "jsonl": lambda: len((tmp_path / uri).read_text().splitlines()),
        "pattern": lambda: len(list(tmp_path.glob("*.png"))),
        "folder": lambda: len(list((tmp_path / "pictures").glob("*.jpg"))),
        "null": lambda: sink.received,
        "window": lambda: len(screen.shown),
    }
    yield SimpleNamespace(kind=kind, sink=sink, count=counts[kind], target=tmp_path / uri, folder=tmp_path)
    sink.close()


def test_all_sinks_but_windows_tolerate_delay(case):
    assert case.sink.tolerates_delay is (case.kind != "window")


def test_writes_every_result(case):
    with case.sink as sink:
        assert isinstance(sink, Sink)
        sink.open(info())
        for number in range(5):
            sink.write(result(number))
    assert case.count() == 5


def test_close_works_twice_and_without_open(case):
    case.sink.close()
    case.sink.close()
    assert case.sink.files == []
    assert list(case.folder.iterdir()) == []


def test_close_works_twice_after_writing(case):
    case.sink.open(info())
    case.sink.write(result(0))
    case.sink.close()
    case.sink.close()
    assert case.count() == 1


@pytest.mark.parametrize("moment", ["before open", "after close"])
def test_refuses_to_write_unless_open(case, moment):
    if moment == "after close":
        case.sink.open(info())
        case.sink.write(result(0))
        case.sink.close()
    with pytest.raises(SinkError, match="not open"):
        case.sink.write(result(1))


def test_an_empty_stream_leaves_no_damaged_file(case):
    case.sink.open(info())
    case.sink.close()
    written = [p for p in case.folder.iterdir() if p.is_file()]
    assert written == case.sink.files
    assert [p.read_bytes() for p in written] == ([b""] if case.kind == "jsonl" else [])


def test_files_lists_what_was_written(case):
    case.sink.open(info())
    case.sink.write(result(0))
    case.sink.write(result(1))
    case.sink.close()
    expected = {"null": [], "window": [], "pattern": [case.folder], "folder": [case.folder / "pictures"]}
    assert case.sink.files == expected.get(case.kind, [case.target])


@pytest.mark.parametrize("format", list(PixelFormat), ids=lambda f: f.name)
def test_does_not_modify_results(case, format):
    results = [result(n, shown=picture(n, format)) for n in range(3)]
    before = [[p.copy() for p in r.annotated.planes] + [p.copy() for p in r.frame.picture.planes] for r in results]
    owners = [(r.annotated.owner.pts, r.annotated.owner.pict_type) for r in results]
    with case.sink as sink:
        sink.open(info())
        for one in results:
            sink.write(one)
    for one, planes in zip(results, before, strict=True):
        for now, then in zip([*one.annotated.planes, *one.frame.picture.planes], planes, strict=True):
            np.testing.assert_array_equal(now, then)
    assert [(r.annotated.owner.pts, r.annotated.owner.pict_type) for r in results] == owners
    assert case.count() == 3


def test_writes_results_without_an_annotated_picture(case):
    with case.sink as sink:
        sink.open(info())
        sink.write(result(0, annotated=False))
        sink.write(result(1, annotated=False))
    assert case.count() == 2


@pytest.mark.parametrize(
    "pts",
    [
        pytest.param([0, 1001, 2002, 3003], id="29.97"),
        pytest.param([0, 100, 5000, 5001, 90000], id="variable rate and a gap"),
        pytest.param([90000, 91001, 92002], id="starts at 3 s"),
        pytest.param([1001, 2002], id="starts between two milliseconds"),
        pytest.param([10**10, 10**10 + 1001], id="starts after days"),
    ],
)
def test_keeps_timestamps(case, pts):
    with case.sink as sink:
        sink.open(info())
        for number, value in enumerate(pts):
            sink.write(result(number, value))
    assert case.count() == len(pts)
    expected = [value * Fraction(1, 30000) for value in pts]
    if case.kind in ("mp4", "mov"):
        assert times(case.target) == expected
    elif case.kind == "mkv":  # has milliseconds
        assert times(case.target) == [Fraction(round(1000 * t), 1000) for t in expected]
    elif case.kind == "jsonl":
        assert [json.loads(line)["pts"] for line in case.target.read_text().splitlines()] == pts


def test_the_size_may_change(case, caplog):
    with case.sink as sink:
        sink.open(info())
        for number, size in enumerate([(96, 64), (48, 64), (48, 64), (160, 90), (96, 64)]):
            sink.write(result(number, shown=picture(number, width=size[0], height=size[1])))
    assert case.count() == 5
    if case.kind in ("mp4", "mov", "mkv"):
        assert {(f.width, f.height) for f in decoded(case.target)} == {(96, 64)}
        assert [r.getMessage() for r in caplog.records if "48x64" in r.getMessage()][1:] == []
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1


@pytest.mark.parametrize("name", [*FILES.values(), "%04d.png", "out.jpg"])
def test_a_missing_folder_is_an_error(tmp_path, name):
    with pytest.raises(SinkError, match=r"there is no folder .*; create it first"):
        create_sink(f"{tmp_path}/missing/{name}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(SinkError, match="there is no folder"):
        create_sink(f"{tmp_path}/missing/pictures/")


@pytest.mark.parametrize("name", [*FILES.values(), "%04d.png", "out.jpg"])
def test_a_file_in_place_of_the_folder_is_an_error(tmp_path, name):
    (tmp_path / "file").write_text("here")
    with pytest.raises(SinkError, match="is not a folder"):
        create_sink(f"{tmp_path}/file/{name}")


@pytest.mark.parametrize("name", [*FILES.values(), "out.jpg"])
def test_a_folder_in_place_of_the_file_is_an_error(tmp_path, name):
    (tmp_path / name).mkdir()
    if name == "out.jpg":
        assert create_sink(f"{tmp_path}/{name}").name.endswith(name)  # pictures go into it
    else:
        with pytest.raises(SinkError, match="is a folder"):
            create_sink(f"{tmp_path}/{name}")


@pytest.mark.parametrize("name", [*FILES.values(), *PICTURES.values(), "out.jpg"])
def test_a_folder_without_write_permission_is_an_error(tmp_path, name, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
    with pytest.raises(SinkError, match="is not writable"):
        create_sink(f"{tmp_path}/{name}")


@pytest.mark.parametrize("reference", ["same name", "symbolic link", "hard link", "other spelling"])
@pytest.mark.parametrize("name", [*FILES.values(), "out.jpg"])
def test_refuses_to_overwrite_its_input(tmp_path, name, reference):
    source = tmp_path / f"in{Path(name).suffix}"
    source.write_bytes(b"precious")
    target = tmp_path / name
    match reference:
        case "same name":
            target = source
        case "symbolic link":
            target.symlink_to(source)
        case "hard link":
            target.hardlink_to(source)
        case "other spelling":
            (tmp_path / "sub").mkdir()
            target = tmp_path / "sub" / ".." / source.name
    with pytest.raises(UsageError, match="is the file being read"):
        create_sink(str(target), inputs=InputFiles([source]))
    assert source.read_bytes() == b"precious"


def test_refuses_to_write_into_the_folder_of_its_input_images(tmp_path):
    with pytest.raises(UsageError, match="is the folder being read"):
        create_sink(f"{tmp_path}/", inputs=InputFiles([tmp_path / "a.jpg"]))
    create_sink(f"{tmp_path}/", inputs=InputFiles([tmp_path / "a.mp4"])).close()


@pytest.mark.parametrize("name", [*FILES.values(), "out.jpg"])
def test_keeps_an_existing_file_without_overwrite(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(SinkError, match="exists already"):
        create_sink(f"{tmp_path}/{name}", options=SinkOptions(overwrite=False))
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("name", [*FILES.values(), "out.jpg"])
def test_creating_a_sink_leaves_existing_files_alone(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    create_sink(f"{tmp_path}/{name}").close()
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("name", [*FILES.values(), "%04d.png", "pictures/"])
def test_a_folder_deleted_after_creation_is_an_error(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = create_sink(f"{folder}/{name}")
    folder.rmdir()

    def run() -> None:
        sink.open(info())
        sink.write(result(0))

    with pytest.raises(StreamdetError, match="cannot write") as raised:
        run()
    assert isinstance(raised.value, SinkError)
    assert "\n" not in str(raised.value)
    sink.close()

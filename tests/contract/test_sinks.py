"""The contract of every sink (`streamdet/sinks/base.py`)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamdet.errors import SinkError, StreamdetError, UsageError
from streamdet.picture import PixelFormat
from streamdet.sinks import factory, window
from streamdet.sinks.base import Sink
from streamdet.sinks.factory import create_sink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles
from tests.sinks.samples import TIME_BASE, decoded, info, picture, result, times


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


@dataclass(frozen=True)
class Row:
    """How one sink is tested. A new sink needs one row in `ROWS` and nothing else in this file.

    Attributes:
        uri: the output; {folder} stands for the folder of the test.
        count: returns the number of results that a `Case` has written so far.
        files: `Sink.files` after writing, relative to the folder of the test.
        tolerates_delay: see `Sink`; False where results are shown or sent.
        of_an_empty_stream: contents of the files that a stream without frames leaves.
        video: it writes video, with the size of its first picture.
        read_times: reads the times of a file that was written; None for sinks without times.
        expected_time: returns what `read_times` should return for a `pts` in units of 1/30000 s.
    """

    uri: str
    count: Callable[["Case"], int]
    files: tuple[str, ...] = ()
    tolerates_delay: bool = True
    of_an_empty_stream: tuple[bytes, ...] = ()
    video: bool = False
    read_times: Callable[[Path], list[Any]] | None = None
    expected_time: Callable[[int], Any] = lambda pts: pts * TIME_BASE

    @property
    def name(self) -> str:
        """The output within the folder of the test; empty if it is not a path."""
        return self.uri.removeprefix("{folder}/") if self.uri.startswith("{folder}/") else ""


@dataclass
class Case:
    """A sink that is not open yet, and where it writes."""

    row: Row
    sink: Sink
    folder: Path
    screen: Screen

    @property
    def target(self) -> Path:
        return self.folder / self.row.name

    def count(self) -> int:
        return self.row.count(self)


def _video(name: str, expected_time: Callable[[int], Fraction] = Row.expected_time) -> Row:
    return Row(
        f"{{folder}}/{name}",
        count=lambda case: len(times(case.target)),
        files=(name,),
        video=True,
        read_times=times,
        expected_time=expected_time,
    )


ROWS = {
    "mp4": _video("out.mp4"),
    "mov": _video("out.mov"),
    "mkv": _video("out.mkv", lambda pts: Fraction(round(1000 * pts * TIME_BASE), 1000)),  # has milliseconds
    "jsonl": Row(
        "{folder}/out.jsonl",
        count=lambda case: len(case.target.read_text().splitlines()),
        files=("out.jsonl",),
        of_an_empty_stream=(b"",),
        read_times=lambda path: [json.loads(line)["pts"] for line in path.read_text().splitlines()],
        expected_time=lambda pts: pts,
    ),
    "pattern": Row("{folder}/%04d.png", count=lambda case: len(list(case.folder.glob("*.png"))), files=(".",)),
    "folder": Row("{folder}/pictures/", count=lambda case: len(list(case.target.glob("*.jpg"))), files=("pictures",)),
    "null": Row("null:", count=lambda case: case.sink.received),
    "window": Row("window:", count=lambda case: len(case.screen.shown), tolerates_delay=False),
}
FILES = [row.name for row in ROWS.values() if row.name in row.files]
PATHS = [row.name for row in ROWS.values() if row.name]


@pytest.fixture(params=ROWS)
def case(request, tmp_path, monkeypatch):
    """A case for each row."""
    row, screen = ROWS[request.param], Screen()
    monkeypatch.setattr(window, "_usable_cv2", lambda: screen)
    sink = create_sink(row.uri.replace("{folder}", str(tmp_path)))
    yield Case(row, sink, tmp_path, screen)
    sink.close()


def test_tolerates_delay_unless_results_are_shown_or_sent(case):
    assert case.sink.tolerates_delay is case.row.tolerates_delay


def test_every_kind_of_output_has_a_row():
    factories = {*factory._BY_SCHEME.values(), *factory._BY_SUFFIX.values()} - {factory._unsupported}
    outputs = [row.name or row.uri for row in ROWS.values()]
    suffixes = {factory._BY_SUFFIX[Path(name).suffix] for name in outputs if Path(name).suffix in factory._BY_SUFFIX}
    schemes = {made for scheme, made in factory._BY_SCHEME.items() if any(uri.startswith(scheme) for uri in outputs)}
    assert suffixes | schemes == factories


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
    assert [p.read_bytes() for p in written] == (list(case.row.of_an_empty_stream))


def test_files_lists_what_was_written(case):
    case.sink.open(info())
    case.sink.write(result(0))
    case.sink.write(result(1))
    case.sink.close()
    assert case.sink.files == [case.folder / name for name in case.row.files]


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
    if case.row.read_times is not None:
        assert case.row.read_times(case.target) == [case.row.expected_time(value) for value in pts]


def test_the_size_may_change(case, caplog):
    with case.sink as sink:
        sink.open(info())
        for number, size in enumerate([(96, 64), (48, 64), (48, 64), (160, 90), (96, 64)]):
            sink.write(result(number, shown=picture(number, width=size[0], height=size[1])))
    assert case.count() == 5
    if case.row.video:
        assert {(f.width, f.height) for f in decoded(case.target)} == {(96, 64)}
        assert [r.getMessage() for r in caplog.records if "48x64" in r.getMessage()][1:] == []
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1


@pytest.mark.parametrize("name", [*FILES, "%04d.png", "out.jpg"])
def test_a_missing_folder_is_an_error(tmp_path, name):
    with pytest.raises(SinkError, match=r"there is no folder .*; create it first"):
        create_sink(f"{tmp_path}/missing/{name}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(SinkError, match="there is no folder"):
        create_sink(f"{tmp_path}/missing/pictures/")


@pytest.mark.parametrize("name", [*FILES, "%04d.png", "out.jpg"])
def test_a_file_in_place_of_the_folder_is_an_error(tmp_path, name):
    (tmp_path / "file").write_text("here")
    with pytest.raises(SinkError, match="is not a folder"):
        create_sink(f"{tmp_path}/file/{name}")


@pytest.mark.parametrize("name", [*FILES, "out.jpg"])
def test_a_folder_in_place_of_the_file_is_an_error(tmp_path, name):
    (tmp_path / name).mkdir()
    if name == "out.jpg":
        assert create_sink(f"{tmp_path}/{name}").name.endswith(name)  # pictures go into it
    else:
        with pytest.raises(SinkError, match="is a folder"):
            create_sink(f"{tmp_path}/{name}")


@pytest.mark.parametrize("name", [*PATHS, "out.jpg"])
def test_a_folder_without_write_permission_is_an_error(tmp_path, name, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
    with pytest.raises(SinkError, match="is not writable"):
        create_sink(f"{tmp_path}/{name}")


@pytest.mark.parametrize("reference", ["same name", "symbolic link", "hard link", "other spelling"])
@pytest.mark.parametrize("name", [*FILES, "out.jpg"])
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


@pytest.mark.parametrize("name", [*FILES, "out.jpg"])
def test_keeps_an_existing_file_without_overwrite(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(SinkError, match="exists already"):
        create_sink(f"{tmp_path}/{name}", options=SinkOptions(overwrite=False))
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("name", [*FILES, "out.jpg"])
def test_creating_a_sink_leaves_existing_files_alone(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    create_sink(f"{tmp_path}/{name}").close()
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("name", PATHS)
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

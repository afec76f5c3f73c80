"""Bad input on the command line: one clear line, the right exit code, no secrets, no output of other libraries."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamdet.cli.main import execute
from streamdet.inference.providers import missing_driver
from streamdet.sinks.encoders import is_encoder
from tests.cli import bad_files
from tests.faultcam import FaultCam
from tests.running import accept_ctrl_c
from tests.sources.clips import encode
from tests.sources.fakes import FakeCapture

ROOT = Path(__file__).parents[2]
SCENE = "synthetic:shapes?frames=5&size=320x240&objects=1&noise=0"
PASSWORD = "hunter2"
SOURCE_OR_SINK, USAGE, HARDWARE, INTERRUPTED = 1, 2, 3, 130


@dataclass(frozen=True)
class Outcome:
    code: int
    lines: list[str]
    """The lines of standard error, from any part of the process, without empty lines."""

    @property
    def message(self) -> str:
        (line,) = [line for line in self.lines if line.startswith("streamdet: ")]
        return line


@pytest.fixture
def cli(capfd) -> Callable[..., Outcome]:
    def run(*argv: object) -> Outcome:
        capfd.readouterr()
        code = execute([str(argument) for argument in argv])
        out, err = capfd.readouterr()
        assert out == ""
        return Outcome(code, [line for line in err.splitlines() if line.strip()])

    return run


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    """The folder of faulty files; no test changes it."""
    folder = tmp_path_factory.mktemp("bad")
    bad_files.make_all(folder)
    return folder


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def frames_in(video: Path) -> int:
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def records_in(path: Path) -> list[dict]:
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def row(name: str, argv: str, code: int, *has: str, without: tuple[str, ...] = ()) -> object:
    """Returns a test case: a command line with {bad}, {out} and {port} to fill in, where ~ stands for a space."""
    return pytest.param(argv, code, has, without, id=name)


NO_VIDEO = "not a video that FFmpeg can read, or damaged, or incomplete"
SOURCES = [
    row("missing file", "{bad}/god.mp4", 1, "god.mp4: no such file: check the path", "did you mean good.mp4?"),
    row("missing folder", "{bad}/no/a.mp4", 1, "no such file", "there is no directory {bad}/no"),
    row("name too long", "x" * 3000, 1, "no such file"),
    row("missing file by URL", "file:///no/such.mp4", 1, "/no/such.mp4: no such file"),
    row("empty folder", "{bad}/nothing", 1, "no image in the directory", "supported are bmp,", "jpg"),
    row("folder without images", "{bad}/texts", 1, "no image in the directory"),
    row("pattern without images", "{bad}/texts/*.jpg", 1, "no image matches"),
    row("mp4 without its end", "{bad}/cut.mp4", 1, f"/cut.mp4: {NO_VIDEO}"),
    row("garbage as video", "{bad}/garbage.mp4", 1, f"/garbage.mp4: {NO_VIDEO}"),
    row("text as video", "{bad}/text.mp4", 1, NO_VIDEO),
    row("empty video", "{bad}/empty.mp4", 1, "the file is empty: copy or record it again"),
    row("/dev/zero", "/dev/zero", 1, NO_VIDEO),
    row("audio only", "{bad}/sound.mp4", 1, "/sound.mp4: it contains only audio: give a source with a video"),
    row(
        "unknown codec",
        "{bad}/codec.mkv",
        1,
        "FFmpeg has no decoder for its video (unknown codec): convert it to H.264",
    ),
    row("playlist", "{bad}/list.m3u8", 1, "of a kind that is not allowed (for example a playlist)"),
    row("wide video", "{bad}/wide.mkv", 1, "20000x16 pixels: the limit is 16384 per side: scale it down"),
    row("wide image", "{bad}/wide.jpg", 1, "20000x4 pixels: the limit is 16384 per side: scale it down"),
    row("image of size zero", "{bad}/zero.png", 1, "the picture is 0x0 pixels"),
    row("decompression bomb", "{bad}/bomb.png", 1, "over the limit of 33177600 pixels", "raise max_pixels"),
    row("empty image", "{bad}/empty.jpg", 1, "empty.jpg: the file is empty: copy or save it again"),
    row("garbage as image", "{bad}/garbage.jpg", 1, "the image is damaged or of an unsupported format"),
    row("half a jpg", "{bad}/cut.jpg", 1, "the image is damaged or of an unsupported format"),
    row("half a png", "{bad}/cut.png", 1, "the image is damaged or of an unsupported format", without=("libpng",)),
    row("missing camera", "97", 1, "there is no camera 97: is it plugged in? Cameras found:", without=("VIDEOIO",)),
    row("missing camera by path", "/dev/video97", 1, "there is no camera 97"),
    row("camera number too large", "12345678901", 1, "no such file"),
    row("refused rtsp", "rtsp://admin:hunter2@127.0.0.1:{port}/c", 1, "127.0.0.1_c: the connection was refused"),
    row("refused rtmp", "rtmp://admin:hunter2@127.0.0.1:{port}/c", 1, "the connection was refused"),
    row("refused http", "http://admin:hunter2@127.0.0.1:{port}/c.mp4", 1, "http://***@127.0.0.1", "was refused"),
    row(
        "misspelled scheme",
        "rtps://admin:hunter2@host/c",
        1,
        "unknown kind of address 'rtps'",
        "did you mean rtsps://?",
    ),
    row(
        "unknown scheme", "gopher://admin:hunter2@host/c", 1, "unknown kind of address 'gopher'", "supported are rtsp:"
    ),
    row("missing scheme", "admin:hunter2@10.0.0.1/c", 1, "***@10.0.0.1/c", "write rtsp://***@10.0.0.1/c"),
    row("space in a password", "rtps://admin:hun~hunter2@host/c", 1, "rtps://***@host/c: unknown kind"),
    row("one slash", "rtsp:/host/c", 1, "did you mean rtsp://?"),
    row(
        "missing host with a password", "rtsp://admin:hunter2/c", 2, "malformed address", "write rtsp://host:port/path"
    ),
    row("slash in a password", "rtsp://admin:hun/hunter2@host/c", 2, "malformed address", "in a password as %2F"),
    row("missing host", "rtsp://", 2, "malformed address: no host"),
    row("port out of range", "rtsp://admin:hunter2@host:99999/c", 2, "malformed address", "port up to 65535"),
    row("empty address", "~", 1, "no such file"),
    row("scene without colon", "synthetic", 1, "did you mean synthetic: (with a colon)?"),
    row("unknown scene", "synthetic:circus", 2, "unknown scene 'circus': use synthetic:street?"),
    row("unknown key of a scene", "synthetic:shapes?frams=5", 2, "unknown key 'frams'", "use objects, fps, size"),
    row("invalid frame count", "synthetic:shapes?frames=many", 2, "frames=many is invalid: give a whole number"),
    row("scene too small", "synthetic:shapes?size=9x9", 2, "size=9x9 is invalid: give WIDTHxHEIGHT from 160x120"),
    row("key of the other scene", "synthetic:shapes?shake=1", 2, "unknown key 'shake'", "use objects, fps, size"),
    row(
        "unknown key of the street",
        "synthetic:street?color=red",
        2,
        "unknown key 'color'",
        "jpeg, place, time",
    ),
    row(
        "invalid shake",
        "synthetic:street?shake=99",
        2,
        "shake=99 is invalid: give a whole number from 0",
    ),
    row("unknown place", "synthetic:street?place=moon", 2, "place=moon is invalid: use any, street, park,"),
    row("invalid jpeg quality", "synthetic:street?jpeg=2", 2, "jpeg=2 is invalid: give a quality from 5 to 100"),
    row("invalid frame rate", "synthetic:shapes?fps=1/0", 2, "fps=1/0 is invalid: give frames per second"),
    row("no source", "", 2, "no source given: name a camera (0), a file"),
]


def fill(argv: str, **values: object) -> list[str]:
    return [part.format(**values).replace("~", " ") for part in argv.split()]


@pytest.mark.parametrize(("argv", "code", "has", "without"), SOURCES)
def test_source_errors(cli, bad, tmp_path, closed_port, argv, code, has, without):
    recording, records = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    asked = fill(argv, bad=bad, port=closed_port)
    outcome = cli("run", "-q", *asked, "-m", "none", "-o", recording, "-o", records)
    assert outcome.code == code
    (line,) = outcome.lines
    assert all(words.format(bad=bad) in line for words in has), line
    assert not any(words in line for words in (*without, PASSWORD, "Traceback", "bug in streamdet")), line
    assert not recording.exists()
    assert not records.exists() or records_in(records) == []


MODELS = [
    row(
        "missing model", "{bad}/nowhere.onnx", 2, "no model '{bad}/nowhere.onnx': neither a file here nor a known name"
    ),
    row("misspelled name", "yolox-nan", 2, "no model 'yolox-nan': did you mean 'yolox-nano'?"),
    row("model name too long", "x" * 3000, 2, "neither a file here nor a known name (ssd-resnet34-1200, yolox-nano"),
    row(
        "known model, not downloaded",
        "yolox-nano --no-download",
        2,
        "download it with: curl -fL --create-dirs -o {out}/yolox-nano.onnx https://",
    ),
    row("part of a model name", "yolox", 2, "no model 'yolox': did you mean 'yolox-nano'?"),
    row("folder as model", "{bad}", 2, "is a folder: give an ONNX file in it"),
    row("text as model", "{bad}/text.onnx", 2, "not an ONNX model, or only a part of one: export or download it again"),
    row("truncated model", "{bad}/cut.onnx", 2, "not an ONNX model, or only a part of one"),
    row("empty model", "{bad}/empty.onnx", 2, "empty.onnx is not an ONNX model: there is no graph in it"),
    row("web page as model", "{bad}/page.onnx", 2, "a web page or XML: the download failed"),
    row("PyTorch model", "{bad}/net.pt", 2, "PyTorch checkpoint: export the model to ONNX"),
    row(
        "newer format",
        "{bad}/future.onnx -d cpu",
        2,
        "Unsupported model IR version: 99",
        "update onnxruntime",
        without=(".cc",),
    ),
    row("classifier", "{bad}/classifier.onnx", 2, "has no known output contract", "its outputs are logits (1, 1000)"),
    row("raw boxes", "{bad}/raw_boxes.onnx", 2, "has no known output contract", "export it with NMS included"),
    row("contract of another model", "{bad}/lying.onnx -at ssd-heads", 2, "does not fit the contract ssd-heads"),
    row("unknown contract", "{bad}/lying.onnx -at yolo", 2, "contract: 'yolo' is not known; it is one of ssd-heads"),
    row(
        "dynamic input size",
        "{bad}/dynamic.onnx",
        2,
        "takes pictures of any size",
        "give `width` and `height` in a YAML",
    ),
    row("two inputs", "{bad}/two_inputs.onnx", 2, "looked for one image input", "found a (1, 3, 64, 64), b (1, 4)"),
    row("graph that contradicts its output shapes", "{bad}/lying.onnx", 2, "lying.onnx"),
    row(
        "description of a missing file",
        "{bad}/lost.yaml",
        2,
        "the model file {bad}/nowhere.onnx, named in",
        "does not exist",
    ),
    row("description with a typo", "{bad}/typo.yaml", 2, "unknown key `contarct`: did you mean `contract`?"),
    row("unknown class", "synthetic-shapes --classes disk", 2, "unknown class 'disk': did you mean 'disc'?"),
    row(
        "class number out of range",
        "synthetic-shapes --classes 99",
        2,
        "the model knows 3 classes (disc, box, triangle)",
    ),
    row(
        "empty class list", "synthetic-shapes --classes ,", 2, "names no class: write for example --classes person,car"
    ),
    row("unknown provider", "synthetic-shapes --provider gpu", 2, "unknown provider 'gpu'; choose one of auto,"),
    row(
        "unsupported precision",
        "synthetic-shapes --provider cpu --precision fp16",
        2,
        "cannot compute in fp16",
        "on auto",
    ),
    row("model is not quantized", "synthetic-shapes --provider cpu --precision int8", 2, "is not quantized", "on auto"),
    row("unknown precision", "synthetic-shapes --precision fp8", 2, "unknown precision 'fp8'; choose one of auto"),
]


@pytest.mark.parametrize(("argv", "code", "has", "without"), MODELS)
def test_model_errors(cli, bad, tmp_path, monkeypatch, argv, code, has, without):
    monkeypatch.setenv("STREAMDET_MODELS", str(tmp_path))
    outcome = cli("run", "-q", SCENE, "-o", tmp_path / "out.mp4", "-m", *fill(argv, bad=bad))
    assert outcome.code == code
    (line,) = outcome.lines
    assert all(words.format(bad=bad, out=tmp_path) in line for words in has), line
    assert not any(words in line for words in (*without, "Traceback", "bug in streamdet")), line
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_a_model_is_an_error(cli, bad):
    outcome = cli("run", bad / "good.mp4")
    assert outcome.code == USAGE
    assert outcome.lines == [
        "streamdet: no model given: use -m with a name from 'streamdet models list', an .onnx file or a .yaml "
        "description"
    ]


def test_missing_cuda_library_is_named(cli):
    if missing_driver() is None:
        pytest.skip("this machine has an NVIDIA driver")
    outcome = cli("run", "-q", SCENE, "--provider", "cuda")
    assert outcome.code == HARDWARE
    (line,) = outcome.lines
    assert "libcuda.so.1" in line or "nvcuda.dll" in line
    assert "or use --provider auto" in line


OPTIONS = [
    row("unknown option", "--confi 0.5", 2, "No such option: --confi", "--conf", "(see: streamdet run --help)"),
    row("not a number", "--conf high", 2, "Invalid value for '--conf'", "valid number"),
    row("not a whole number", "--max-frames 1.5", 2, "Invalid value for '--max-frames'"),
    row("missing value", "--max-frames", 2, "'--max-frames' requires an argument"),
    row("score above 1", "--conf 1.5", 2, "conf must be at least 0 and less than 1, got 1.5"),
    row("score is NaN", "--conf nan", 2, "conf must be at least 0"),
    row("negative IoU", "--iou -1", 2, "iou must be from 0 to 1, got -1.0"),
    row("negative threads", "--threads -3", 2, "threads must be 0 (automatic) or up to 1024, got -3"),
    row("too many threads", "--threads 100000", 2, "threads must be 0 (automatic) or up to 1024, got 100000"),
    row("negative frame limit", "--max-frames -1", 2, "max_frames must be 0 (no limit) or more, got -1"),
    row("duration is NaN", "--duration nan", 2, "duration_s must be 0 (no limit) or more, got nan"),
    row(
        "unknown mode",
        "--mode fast",
        2,
        "mode: 'fast' is not valid; use one of 'auto', 'every-frame', 'live' or 'smooth'",
    ),
    row(
        "unknown tracker",
        "--tracker sort",
        2,
        "tracker.kind: 'sort' is not valid; use one of 'auto', 'bytetrack' or 'none'",
    ),
    row("size is a word", "--size big", 2, "source.size: 'big' is not valid; write for example 1280x720"),
    row("zero size", "--size 0x0", 2, "source.size must be positive, got 0x0"),
    row("zero frame rate", "--fps 0", 2, "source.fps must be greater than 0, got 0.0"),
    row("quality out of range", "--quality 99", 2, "quality must be 0 to 51, got 99"),
    row("unknown encoder", "--encoder xvid -o {out}/a.mp4", 2, "no video encoder 'xvid' in this FFmpeg; available:"),
    row(
        "encoder that does not fit the container",
        "--encoder prores -o {out}/a.mp4",
        2,
        "mp4 files do not support the encoder prores; leave the",
    ),
    row("missing config", "-c {out}/no.yaml", 2, "cannot read {out}/no.yaml: No such file"),
    row("folder as config", "-c {out}", 2, "cannot read {out}: Is a directory"),
    row("video as config", "-c {bad}/good.mp4", 2, "good.mp4 is not valid YAML"),
    row("unknown output ending", "-o {out}/a.xyz", 2, "has no known suffix", "use a file ending in .mp4"),
    row("output without an ending", "-o {out}/a", 2, "has no known suffix", "a folder ending in /"),
    row("empty output", "-o=", 2, "has no known suffix"),
    row(
        "unsupported output",
        "-o rtsp://admin:hunter2@h/c",
        2,
        "publishing to rtsp is not supported yet; write a file",
    ),
    row("unknown output scheme", "-o foo://admin:hunter2@h/c", 2, "foo://***@h/c: unknown kind of output; use a file"),
    row("missing output folder", "-o {out}/no/a.mp4", 1, "there is no folder {out}/no; create it first"),
    row("missing folder for JSON lines", "-o {out}/no/a.jsonl", 1, "there is no folder {out}/no; create it first"),
    row("missing folder for images", "-o {out}/no/%06d.jpg", 1, "there is no folder {out}/no; create it first"),
    row("file as output folder", "-o {bad}/good.mp4/a.mp4", 1, "{bad}/good.mp4 is not a folder"),
    row("folder as output", "-o {out}/folder.mp4", 1, "folder.mp4 is a folder; give the name of a file in it"),
    row("output name too long", f"-o {{out}}/{'x' * 300}.jsonl", 1, "File name too long"),
    row("unwritable folder", "-o /proc/a.jsonl", 1, "cannot write /proc/a.jsonl", without=("stays usable",)),
    row("same output twice", "-o {out}/a.mp4 -o {out}/a.mp4", 2, "two outputs would write {out}/a.mp4"),
    row("same output spelled twice", "-o {out}/a.mp4 -o {out}/./folder.mp4/../a.mp4", 2, "two outputs would write"),
    row("one image for a video", "-o {out}/a.jpg", 1, "is a single image", "write {out}/%06d.jpg or a video"),
    row("pattern with two numbers", "-o {out}/%d-%d.jpg", 2, "a pattern must contain one number such as %06d"),
    row("window without a screen", "--show", 1, "there is no screen", "record it instead (-o out.mp4)"),
]


@pytest.mark.parametrize(("argv", "code", "has", "without"), OPTIONS)
def test_option_errors(cli, bad, tmp_path, monkeypatch, argv, code, has, without):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if "/proc" in argv and not Path("/proc").is_dir():
        pytest.skip("no /proc here")
    if "--show" in argv and sys.platform != "linux":
        pytest.skip("a screen is detected differently on this system")
    (tmp_path / "folder.mp4").mkdir()
    asked = fill(argv, bad=bad, out=tmp_path)
    outcome = cli("run", "-q", SCENE, "-m", "none", *(["-o", ""] if asked == ["-o="] else asked))
    assert outcome.code == code
    (line,) = outcome.lines
    assert all(words.format(bad=bad, out=tmp_path) in line for words in has), line
    assert not any(words in line for words in (*without, PASSWORD, "Traceback", "bug in streamdet")), line
    assert [path.name for path in tmp_path.iterdir()] == ["folder.mp4"]


@pytest.mark.parametrize(
    ("first", "advice"),
    [
        pytest.param("video.mp4", "(did you mean: streamdet run video.mp4)", id="file"),
        pytest.param("0", "(did you mean: streamdet run 0)", id="camera"),
        pytest.param("rtsp://admin:hunter2@h/c", "(did you mean: streamdet run rtsp://***@h/c)", id="stream"),
        pytest.param("detect", "(see: streamdet --help)", id="another word"),
    ],
)
def test_missing_run_command_is_suggested(cli, first, advice):
    outcome = cli(first)
    assert outcome.code == 2
    (line,) = outcome.lines
    assert advice in line
    assert PASSWORD not in line


def test_a_command_restores_the_signal_handlers(cli):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert cli("run", "-q", SCENE, "-m", "none").code == 0
    assert cli("run", "nowhere.mp4").code == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_run_without_outputs_prints_a_hint(cli, tmp_path):
    words = "nothing was written: to keep the result, add -o out.mp4"
    assert any(words in line for line in cli("run", SCENE, "-m", "none").lines)
    assert not any(words in line for line in cli("run", SCENE, "-m", "none", "-o", tmp_path / "out.mp4").lines)


CONFIGS = [
    ("unknown key", "sourcs: [0]", "sourcs: unknown key; did you mean 'sources'?"),
    ("unknown key below", "sources: {a: {url: '0', fsp: 5}}", "sources.0.fsp: unknown key; did you mean 'fps'?"),
    ("value", "mode: fast", "mode: 'fast' is not valid; use one of 'auto', 'every-frame', 'live' or 'smooth'"),
    ("branch", "source: 5", "source: 5 is not valid; give keys and values below it"),
    ("broken", "a: [1,\nb", "is not valid YAML"),
    ("list", "- a", "must hold keys and values at the top"),
    (
        "secret in a value",
        "sources: [{url: x, fps: 'rtsp://a:hunter2@h'}]",
        "'rtsp://***@h' is not valid; give a number",
    ),
    ("secret next to a typo", "sources: {a: {url: 'rtsp://a:hunter2@h/x', nme: b}}", "did you mean 'name'?"),
    ("secret in broken YAML", "sources: [rtsp://a:hunter2@h/x\nb: ]:", "is not valid YAML"),
]


@pytest.mark.parametrize(("text", "words"), [pytest.param(*rest, id=name) for name, *rest in CONFIGS])
def test_config_file_errors(cli, tmp_path, text, words):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    outcome = cli("run", "-c", path)
    assert outcome.code == USAGE
    (line,) = outcome.lines
    assert words in line
    assert PASSWORD not in line


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("refuse", "the answer is not a video stream|the server closed the connection"),
        ("accept_then_silent", "no answer for 1 s: is the source sending, and is the network up"),
        ("401", "the credentials were refused: check user and password in the address"),
        ("404", r"the server has no such stream \(404\): check the path in the address"),
        ("sdp_without_video", "it contains no video"),
    ],
)
def test_network_camera_errors(cli, tmp_path, verb, words):
    config = tmp_path / "c.yaml"
    config.write_text("source: {open_timeout_s: 1, read_timeout_s: 1}")
    with FaultCam([verb]) as camera:
        outcome = cli("run", "-q", camera.url, "-m", "none", "-c", config, "-o", tmp_path / "out.mp4")
    assert outcome.code == SOURCE_OR_SINK
    (line,) = outcome.lines
    assert re.search(words, line)
    assert "s3cret" not in line
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("name", ["same", "symbolic link", "hard link", "other spelling"])
def test_output_equal_to_the_input(cli, tmp_path, name):
    video = encode(tmp_path / "a.mp4")
    before = video.read_bytes()
    target = tmp_path / "b.mp4"
    match name:
        case "same":
            target = video
        case "symbolic link":
            target.symlink_to(video)
        case "hard link":
            target.hardlink_to(video)
        case "other spelling":
            target = tmp_path / ".." / tmp_path.name / "a.mp4"
    outcome = cli("run", "-q", video, "-m", "none", "-o", target)
    assert outcome.code == USAGE
    assert outcome.lines == [f"streamdet: {target} is the file being read; give the output another name"]
    assert video.read_bytes() == before


def test_output_equal_to_the_input_of_another_source(cli, tmp_path):
    video = encode(tmp_path / "a.mp4")
    before = video.read_bytes()
    config = tmp_path / "c.yaml"
    config.write_text(
        f"sources: {{a: 'synthetic:shapes?frames=5', b: '{video}'}}\noutputs: ['{tmp_path}/{{source}}.mp4']"
    )
    outcome = cli("run", "-q", "-c", config, "-m", "none")
    assert (outcome.code, "is the file being read" in outcome.message) == (USAGE, True)
    assert video.read_bytes() == before


@pytest.mark.parametrize("source", ["{folder}", "{folder}/*.jpg", "{folder}/intact.jpg"])
def test_images_into_their_own_folder(cli, bad, tmp_path, source):
    for name in ("intact.jpg", "000001.jpg"):
        (tmp_path / name).write_bytes((bad / "intact.jpg").read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    asked = source.format(folder=tmp_path)
    outcome = cli("run", "-q", asked, "-m", "none", "-o", f"{tmp_path}/")
    assert outcome.code == USAGE
    assert "is the folder being read; give the output another folder" in outcome.message
    outcome = cli("run", "-q", asked, "-m", "none", "-o", f"{tmp_path}/%06d.jpg")
    assert {path: path.read_bytes() for path in before} == before


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Drops root's privileges for the test: root may write everywhere."""
    if not hasattr(os, "setresuid") or os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def read_only(tmp_path) -> Iterator[Path]:
    """A read-only folder with an unreadable file."""
    open_folders = [p for p in (tmp_path, *tmp_path.parents) if p.stat().st_uid == os.getuid() and p != Path("/")]
    modes = {p: p.stat().st_mode for p in open_folders}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o055)
    folder = tmp_path / "locked"
    folder.mkdir()
    encode(folder / "secret.mp4").chmod(0)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    for path, mode in modes.items():
        path.chmod(mode)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another matter on Windows")
@pytest.mark.usefixtures("read_only", "unprivileged")
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (f"{SCENE} -o {{locked}}/a.mp4", "the folder {locked} is not writable"),
        (f"{SCENE} -o {{locked}}/a.jsonl", "the folder {locked} is not writable"),
        (f"{SCENE} -o {{locked}}/new/", "the folder {locked} is not writable"),
        ("{locked}/secret.mp4", "secret.mp4: permission to read it is missing: check its permissions"),
    ],
    ids=["video", "records", "pictures", "source"],
)
def test_missing_permissions(cli, tmp_path, argv, words):
    locked = tmp_path / "locked"
    outcome = cli("run", "-q", *fill(argv, locked=locked), "-m", "none")
    assert outcome.code == SOURCE_OR_SINK
    (line,) = outcome.lines
    assert words.format(locked=locked) in line


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk needs root and Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


ENDLESS = "synthetic:shapes?frames=0&size=320x240&noise=40"


def check_recorded_until_full(outcome: Outcome, folder: Path) -> None:
    assert outcome.code == SOURCE_OR_SINK
    assert "the disk is full; what was written before stays usable" in outcome.message
    assert outcome.lines[-1] == outcome.message
    assert any(line.startswith("  captured ") for line in outcome.lines), "no summary"
    assert any("dropped" in line and "sink_failed 1" in line for line in outcome.lines)
    frames, records = frames_in(folder / "out.mp4"), records_in(folder / "out.jsonl")
    assert frames > 10
    assert len(records) >= frames
    assert [record["index"] for record in records] == list(range(len(records)))


def test_full_disk(cli, small_disk):
    asked = ["-o", small_disk / "out.mp4", "-o", small_disk / "out.jsonl"]
    check_recorded_until_full(cli("run", ENDLESS, "-m", "none", *asked), small_disk)


def test_full_quota(cli, tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        outcome = cli("run", ENDLESS, "-m", "none", "-o", tmp_path / "out.mp4", "-o", tmp_path / "out.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check_recorded_until_full(outcome, tmp_path)


def test_unplugged_camera(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda index, api: FakeCapture(index, frames=12))
    asked = ["--mode", "every-frame", "-o", tmp_path / "out.mp4", "-o", tmp_path / "out.jsonl"]
    outcome = cli("run", "0", "-m", "none", *asked)
    assert outcome.code == SOURCE_OR_SINK
    assert outcome.message == "streamdet: camera0: camera 0 sends no more frames: was it unplugged?"
    assert outcome.lines[-1] == outcome.message
    assert "  captured 12 = shown 12" in outcome.lines, "no summary"
    assert frames_in(tmp_path / "out.mp4") == len(records_in(tmp_path / "out.jsonl")) == 12


@pytest.mark.parametrize(
    ("name", "words", "fault"),
    [
        ("cut.mkv", "cut.mkv is damaged: it ends before its stated end", "truncated 1"),
        ("flipped.mkv", "flipped.mkv is damaged: ", "decode_error"),
        ("mixed", "of 7 images 4 cannot be decoded and were skipped (cut.png, ", "broken_image 4"),
        ("scratched.jpg", "of 1 images 1 are damaged and were read in part", "damaged_image 1"),
    ],
)
def test_partly_damaged_sources_are_kept_and_reported(cli, bad, tmp_path, name, words, fault):
    outcome = cli("run", bad / name, "-m", "none", "-o", tmp_path / "out.mp4", "-o", tmp_path / "out.jsonl")
    assert outcome.code == 0
    assert outcome.message.startswith("streamdet: WARNING: ")
    assert words in outcome.message
    assert any("source faults: " in line and fault in line for line in outcome.lines)
    assert not any("libpng" in line or "Corrupt JPEG" in line for line in outcome.lines)
    frames = frames_in(tmp_path / "out.mp4")
    assert 0 < frames == len(records_in(tmp_path / "out.jsonl")) < bad_files.FRAMES


@pytest.mark.parametrize("encoder", ["libsvtav1", "libx265", "libvpx-vp9"])
def test_encoders_print_nothing(cli, tmp_path, encoder):
    if not is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    outcome = cli("run", "-q", SCENE, "-m", "none", "--encoder", encoder, "-o", tmp_path / "out.mkv")
    assert (outcome.code, outcome.lines) == (0, [])
    assert frames_in(tmp_path / "out.mkv") == 5


def test_one_bad_source_among_good_ones(cli, bad, tmp_path):
    outcome = cli("run", bad / "good.mp4", bad / "garbage.mp4", "-m", "none", "-o", tmp_path / "{source}.mp4")
    assert outcome.code == SOURCE_OR_SINK
    assert outcome.lines[0].startswith("streamdet: WARNING: garbage ended: ")
    assert NO_VIDEO in outcome.lines[-1]
    assert frames_in(tmp_path / "good.mp4") == bad_files.FRAMES
    assert not (tmp_path / "garbage.mp4").exists()


def test_a_tracker_without_a_model_is_accepted(cli, tmp_path):
    outcome = cli("run", "-q", SCENE, "-m", "none", "--tracker", "bytetrack", "-o", tmp_path / "a.jsonl")
    assert (outcome.code, outcome.lines) == (0, [])
    assert [record["detections"] for record in records_in(tmp_path / "a.jsonl")] == [[]] * 5


def test_options_without_effect_are_reported(cli):
    outcome = cli("run", "-q", SCENE, "-m", "none", "--classes", "person", "--conf", "0.4")
    assert outcome.code == 0
    assert outcome.message.endswith("model 'none' ignores: conf, classes")


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["run", "/no/such.mp4"], "SourceError"),
        (["run", SCENE, "-m", "nothing"], "ModelError"),
        (["run", SCENE, "-m", "none", "-o", "/no/such/out.mp4"], "SinkError"),
        (["run", f"rtps://admin:{PASSWORD}@host/c"], "SourceError"),
    ],
)
def test_debug_prints_the_traceback(cli, argv, error):
    plain, debug = cli(*argv), cli("--debug", *argv)
    assert debug.code == plain.code
    assert debug.lines[-1:] == plain.lines
    assert "Traceback (most recent call last):" in debug.lines
    assert any(line.startswith(f"streamdet.errors.{error}") for line in debug.lines)
    assert not any(PASSWORD in line for line in debug.lines)


@pytest.mark.parametrize("argv", [[], ["models"], ["eval"]], ids=["nothing", "models", "eval"])
def test_a_missing_command_prints_the_help(cli, argv):
    outcome = cli(*argv)
    assert outcome.code == USAGE
    assert outcome.lines[0].startswith(" ".join(["Usage: streamdet", *argv, "[OPTIONS] COMMAND"]))
    assert not any("streamdet: " in line for line in outcome.lines)


def test_missing_models_command_is_suggested(cli):
    outcome = cli("convert", "net.onnx")
    assert outcome.code == USAGE
    assert outcome.message.endswith("(did you mean: streamdet models convert)")


def test_an_incomplete_model_does_not_replace_the_file(cli, tmp_path, monkeypatch):
    target = tmp_path / "net.onnx"
    target.write_bytes(b"before")

    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = cli("models", "build", "ssd-resnet34-1200", "-o", target)
    assert outcome.code == SOURCE_OR_SINK
    assert outcome.lines == [f"streamdet: cannot write {target}: No space left on device"]
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    assert target.read_bytes() == b"before"


def test_build_requires_the_onnx_ending(cli, tmp_path):
    outcome = cli("models", "build", "ssd-resnet34-1200", "-o", tmp_path / "net.txt")
    assert (outcome.code, outcome.lines) == (USAGE, ["streamdet: build writes .onnx files: give -o net.onnx"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("argv", ["models list", "-h", "models info synthetic-shapes", "doctor"])
@pytest.mark.parametrize(
    ("redirected", "code", "expected"),
    [
        pytest.param("| true", 0, "", id="reader gone"),
        pytest.param(">&-", 0, "", id="closed"),
        pytest.param(
            "> /dev/full",
            1,
            "streamdet: cannot write the output: the disk is full\n",
            id="full",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here"),
        ),
    ],
)
def test_closed_or_full_standard_output(argv, redirected, code, expected):
    command = f"set -o pipefail; {sys.executable} -m streamdet {argv} {redirected}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, expected)


def test_an_unexpected_error_is_reported_as_a_bug(cli, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot do rtsp://admin:{PASSWORD}@host/c\nat all")

    monkeypatch.setattr("streamdet.build.build", broken)
    outcome = cli("run", SCENE)
    assert outcome.code == 1
    assert outcome.lines == [
        "streamdet: RuntimeError: cannot do rtsp://***@host/c at all (this looks like a bug in streamdet; --debug "
        "prints the traceback)"
    ]


@contextmanager
def start(*argv: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "streamdet", *(str(argument) for argument in argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes, text=True, preexec_fn=accept_ctrl_c) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_separate_process_prints_the_same(tmp_path):
    with start("run", tmp_path / "no.mp4", "-m", "none") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (SOURCE_OR_SINK, "")
    assert err.splitlines() == [f"streamdet: {tmp_path}/no.mp4: no such file: check the path"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_close_the_files(tmp_path, sent):
    recording, records = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    source = "synthetic:shapes?frames=0&live=1&size=320x240"
    with start("run", source, "-m", "none", "-o", recording, "-o", records) as process:
        deadline = time.monotonic() + 60
        while not (records.exists() and records.read_bytes().count(b"\n") > 20) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(sent)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (INTERRUPTED, "")
    assert not [line for line in err.splitlines() if line.startswith("streamdet: ") and "first run" not in line]
    assert "Traceback" not in err
    assert f"wrote {recording}" in err
    assert frames_in(recording) > 20
    assert len(records_in(records)) > 20


EVALUATIONS = [
    row("missing annotations", "-a {out}/no.json", 2, "no.json does not exist: give COCO's instances_*.json"),
    row("folder as annotations", "-a {out}", 2, "is a folder: give the annotations file in it"),
    row("video as annotations", "-a {bad}/good.mp4", 2, "good.mp4 is not valid JSON, or incomplete"),
    row("truncated annotations", "-a {out}/cut.json", 2, "cut.json is not valid JSON, or incomplete"),
    row("captions as annotations", "-a {out}/captions.json", 2, "holds captions, not boxes of objects"),
    row("missing images folder", "--images {out}/no", 2, "there is no folder {out}/no: give the one with the images"),
    row(
        "images not in the folder",
        "--images {bad}/texts",
        2,
        "1 of the 1 images of",
        "give the folder that contains them",
    ),
    row("no common class", "-a {out}/cats.json", 2, "none of the model's 3 classes (disc, box, triangle) is"),
    row("score above 1", "--conf 2", 2, "conf must be at least 0 and less than 1, got 2.0"),
    row("zero detections", "--max-detections 0", 2, "max_detections must be at least 1, got 0"),
    row("unknown contract", "-at yolo", 2, "contract: 'yolo' is not known; it is one of ssd-heads"),
    row("missing model", "-m no.onnx", 2, "no model 'no.onnx'"),
    row("foreign detections file", "--detections {out}/cats.json", 2, "is not a detections file: give another name"),
    row("input as output", "--report {out}/truth.json", 2, "truth.json is the file being read"),
    row("missing report folder", "--report {out}/no/a.json", 1, "there is no folder {out}/no; create it first"),
    row(
        "one file for two outputs",
        "--report {out}/a --results {out}/a",
        2,
        "two of --detections, --results, --report and --plot",
    ),
    row(
        "unknown plot format",
        "--plot {out}/a.xyz",
        2,
        "cannot write a plot to {out}/a.xyz: give a name that ends with .png",
    ),
]


@pytest.mark.parametrize(("argv", "code", "has", "without"), EVALUATIONS)
def test_evaluation_errors(capfd, bad, tmp_path, argv, code, has, without):
    tree = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "disc"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}],
    }
    files = {
        "truth": json.dumps(tree),
        "cut": json.dumps(tree)[:-5],
        "captions": json.dumps({**tree, "annotations": [{"image_id": 1, "caption": "a disc"}]}),
        "cats": json.dumps({**tree, "categories": [{"id": 1, "name": "cat"}]}),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    given = ["-m", "synthetic-shapes", "--images", str(tmp_path), "-a", str(tmp_path / "truth.json"), "-q"]
    assert execute(["eval", "coco", *given, *map(str, fill(argv, bad=bad, out=tmp_path))]) == code
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert all(words.format(bad=bad, out=tmp_path) in line for words in has), line
    assert "Traceback" not in line
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", *(f"{name}.json" for name in files)}


def test_a_missing_evaluation_package_is_reported_at_once(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    assert execute(["eval", "coco", "-m", "no", "--images", "no", "-a", "no"]) == USAGE
    assert capfd.readouterr().err == "streamdet: evaluation needs pycocotools: pip install pycocotools\n"


BENCHMARKS = [
    row("missing file", "no.onnx", 2, "no model 'no.onnx'"),
    row("video as model", "{bad}/garbage.mp4", 2, "garbage.mp4 is not an ONNX model"),
    row("OpenVINO without its weights", "{out}/net.xml", 2, "{out}/net.xml"),
    row("zero rounds", "{out}/net.xml -n 0", 2, "--rounds", "-n"),
    row("model is not quantized", "synthetic-shapes --precision int8 -d cpu", 3, "nothing to measure: cpu in int8: "),
    row("device alias", "synthetic-shapes --precision bf16 --device cpu", 3, "cannot compute in bf16"),
    row("unsupported precision", "synthetic-shapes --precision bf16 -d cpu", 3, "cannot compute in bf16"),
]


@pytest.mark.parametrize(("argv", "code", "has", "without"), BENCHMARKS)
def test_benchmark_errors(capfd, bad, tmp_path, argv, code, has, without):
    (tmp_path / "net.xml").write_text('<?xml version="1.0"?><net name="a" version="11"></net>')
    assert execute(["models", "benchmark", *map(str, fill(argv, bad=bad, out=tmp_path))]) == code
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert all(words.format(bad=bad, out=tmp_path) in line for words in has), line
    assert "Traceback" not in line


DEMOS = [
    row("output is not a video", "-o {out}/demo.jsonl", 2, "the demo records a video: give -o demo.mp4"),
    row("missing output folder", "-o {out}/none/demo.mp4", 1, "{out}/none"),
    row("scene size", "-o {out}/demo.mp4 --size 9x9", 2, "size=9x9 is invalid: give WIDTHxHEIGHT"),
    row("unsupported precision", "-o {out}/demo.mp4 -d cpu --precision bf16", 2, "cannot compute in bf16"),
    row("unknown provider", "-o {out}/demo.mp4 -d gpu", 2, "unknown provider 'gpu'"),
    row("window without a screen", "-o {out}/demo.mp4 --show", 1, "there is no screen"),
    row("too many objects", "-o {out}/demo.mp4 --objects 99", 2, "--objects"),
    row("too few objects", "-o {out}/demo.mp4 --objects 3", 2, "--objects"),
    row(
        "scene too small to measure",
        "-o {out}/demo.mp4 --size 160x120",
        2,
        "160x120 is too small for reliable measurements: give --size 240x160 or more",
    ),
]


@pytest.mark.parametrize(("argv", "code", "has", "without"), DEMOS)
def test_demo_errors(capfd, monkeypatch, tmp_path, argv, code, has, without):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert execute(["demo", *map(str, fill(argv, out=tmp_path))]) == code
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert all(words.format(out=tmp_path) in line for words in has), line
    assert "Traceback" not in line
    assert list(tmp_path.iterdir()) == []

"""The table from addresses to sources."""

import sys
from pathlib import Path

import pytest

from streamdet.errors import ConfigError, SourceError, UsageError
from streamdet.sources.base import Source
from streamdet.sources.camera import CameraSource
from streamdet.sources.factory import create_source
from streamdet.sources.file import FileSource, WebFileSource
from streamdet.sources.images import ImagesSource
from streamdet.sources.network import NetworkSource
from streamdet.sources.options import BackoffOptions, SourceOptions
from streamdet.sources.realtime import RealtimeSource
from streamdet.sources.reconnect import ReconnectingSource
from streamdet.sources.synthetic import SyntheticSource


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory. No test opens its files, so they are empty."""
    for name in ("clip one.mp4", "7.mkv", "a:b.mp4", "UPPER.PNG", "x[1].mp4", "noext"):
        (tmp_path / name).touch()
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "1.jpg").touch()
    (tmp_path / "nothing").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("0", CameraSource, "camera0"),
        ("/dev/video12", CameraSource, "camera12"),
        ("rtsp://u:p@10.0.0.7:554/ch1/main.sdp?x=1", ReconnectingSource, "10.0.0.7_main"),
        ("RTSP://cam.local", ReconnectingSource, "cam.local"),
        ("rtsps://[::1]/a", ReconnectingSource, "1_a"),
        ("rtmp://host/live/key", ReconnectingSource, "host_key"),
        ("http://host/live.m3u8", ReconnectingSource, "host_live"),
        ("http://host/video", ReconnectingSource, "host_video"),
        ("https://host/a/clip.MP4?token=1", WebFileSource, "host_clip"),
        ("synthetic:", SyntheticSource, "synthetic"),
        ("synthetic:shapes?seed=3", SyntheticSource, "synthetic"),
        ("clip one.mp4", FileSource, "clip_one"),
        ("a:b.mp4", FileSource, "a_b"),
        ("./7.mkv", FileSource, "7"),
        ("x[1].mp4", FileSource, "x_1"),
        ("noext", FileSource, "noext"),
        ("file://{folder}/clip%20one.mp4", FileSource, "clip_one"),
        ("UPPER.PNG", ImagesSource, "UPPER"),
        ("shots", ImagesSource, "shots"),
        ("shots/*.jpg", ImagesSource, "shots"),
    ],
)
def test_each_kind_of_address_creates_its_source(folder: Path, url: str, kind: type, name: str) -> None:
    source = create_source(url.format(folder=folder))
    assert type(source) is kind
    assert source.name == name
    assert ":p@" not in source.url
    source.close()


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("gone.mp4", SourceError, r"gone\.mp4: no such file"),
        ("clip on.mp4", SourceError, r"did you mean clip one\.mp4\?"),
        ("no/such/dir/a.mp4", SourceError, "there is no directory no/such/dir"),
        ("nothing", SourceError, "no image in the directory"),
        ("shots/*.png", SourceError, "no image matches"),
        ("rstp://u:s3cret@host/a", SourceError, "unknown kind of address 'rstp': did you mean rtsp://"),
        ("gopher://host", SourceError, "unknown kind of address 'gopher': supported are rtsp:"),
        ("", UsageError, "empty"),
        ("rtsp://host/a\r\nX: y", UsageError, "control characters"),
        ("rtsp://", UsageError, "no host"),
        ("rtsp:///cam", UsageError, "no host"),
        ("rtsp://u:s3cret@host:99999/", UsageError, "malformed address"),
        ("rtsp://u:s3cret@host:port/", UsageError, "malformed address"),
        ("http://[::1/", UsageError, "malformed address"),
        ("rtsp:host", SourceError, "unknown kind of address|no such file"),
        ("synthetic:shapes?seed=x", UsageError, "seed=x"),
    ],
)
def test_invalid_addresses_are_refused_before_anything_is_opened(
    folder: Path, url: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        create_source(url)
    assert type(raised.value) is error
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


CANARY = "c4nary"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param(f"rtsp://admin:{CANARY}@10.0.0.1:554/Streaming/Channels/101", "10.0.0.1_101", id="Hikvision"),
        pytest.param(
            f"rtsp://admin:{CANARY}@10.0.0.1/cam/realmonitor?channel=1&subtype=0", "10.0.0.1_realmonitor", id="Dahua"
        ),
        pytest.param(f"rtsp://h/cam/realmonitor?channel=1&authbasic={CANARY}", "h_realmonitor", id="Dahua, authbasic"),
        pytest.param(
            f"rtsp://10.0.0.1:554/user=admin&password={CANARY}&channel=1&stream=0.sdp", "10.0.0.1", id="XMEye"
        ),
        pytest.param(f"rtsp://10.0.0.1/user=admin_password={CANARY}_channel=1_stream=0.sdp", "10.0.0.1", id="XMEye, _"),
        pytest.param(f"rtsp://h/user%3Dadmin%26password%3D{CANARY}", "h", id="XMEye, escaped"),
        pytest.param(f"rtsp://h/user=a/{CANARY}", "h", id="XMEye, slash in the value"),
        pytest.param(f"rtsp://h/live/token={CANARY}", "h", id="token in the path"),
        pytest.param(f"rtsp://h/live/token={CANARY}/main", "h", id="token within the path"),
        pytest.param(f"rtsp://h/live;token={CANARY}", "h", id="parameter of the path"),
        pytest.param(f"rtsp://u:1/{CANARY}@10.0.0.1/ch1", "10.0.0.1_ch1", id="number and slash in a password"),
        pytest.param(f"rtsp://u:1?{CANARY}@10.0.0.1/ch1", "10.0.0.1_ch1", id="number and ? in a password"),
        pytest.param(f"rtsp://{CANARY}#x@10.0.0.1/ch1", "10.0.0.1_ch1", id="# in a password"),
        pytest.param(f"rtsp://u:1/{CANARY}@[h/ch1", "rtsp", id="no host for the name"),
        pytest.param(
            f"rtmp://h/bcs/channel0_main.bcs?channel=0&user=a&password={CANARY}", "h_channel0_main", id="Reolink"
        ),
        pytest.param(f"http://h/videostream.cgi?loginuse=a&loginpas={CANARY}", "h_videostream", id="Foscam"),
        pytest.param(f"http://h/video?usr={CANARY}&pw={CANARY}", "h_video", id="short names"),
        pytest.param(f"http://h/video?user=a&password=b@{CANARY}", "h", id="@ in a password of the query"),
        pytest.param(f"https://u:{CANARY}@h/clip.mp4?token={CANARY}", "h_clip", id="file on the web"),
        pytest.param(f"https://h/token={CANARY}/clip.mp4", "h", id="file on the web, token in its path"),
        pytest.param(f"http://h/api/stream.m3u8?src=rtsp%3A%2F%2Fu%3A{CANARY}%40cam", "h_stream", id="through a proxy"),
    ],
)
def test_sources_do_not_show_credentials_of_their_address(url: str, name: str) -> None:
    source = create_source(url, options=SourceOptions(realtime=True))
    assert source.name == name
    sources = [source, *(inner for inner in vars(source).values() if isinstance(inner, Source))]
    assert len(sources) == 2  # the one that paces or reconnects, and its inner source
    for one in sources:
        assert CANARY not in f"{one.name} {one.url} {one} {one!r} {one.files}"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"rtsp://u:a/{CANARY}@10.0.0.1/ch1", id="slash in a password"),
        pytest.param(f"rstp://h/user=a&password={CANARY}", id="misspelled scheme"),
        pytest.param(f"rtsp:///user=a&password={CANARY}", id="no host"),
        pytest.param(f"10.0.0.1/user=a_password={CANARY}_channel=1", id="missing scheme"),
        pytest.param(f"10.0.0.1/video?pwd={CANARY}", id="missing scheme, query"),
        pytest.param(f"file://u:{CANARY}@h/clip.mp4", id="file"),
    ],
)
def test_messages_about_refused_addresses_do_not_show_credentials(folder: Path, url: str) -> None:
    with pytest.raises((SourceError, UsageError)) as raised:
        create_source(url)
    assert CANARY not in f"{raised.value} {raised.value!r}"


def test_local_paths_may_contain_equals_signs(folder: Path) -> None:
    images = folder / "site" / "user=1"
    images.mkdir(parents=True)
    (images / "1.png").touch()
    assert list(create_source("site/user=1/*.png").files) == [Path("site/user=1/1.png")]
    assert create_source("site/user=1").name == "user_1"


def test_options_realtime_and_reconnect_choose_the_wrapper(folder: Path) -> None:
    assert isinstance(create_source("7.mkv", options=SourceOptions(realtime=True)), RealtimeSource)
    assert isinstance(create_source("synthetic:", options=SourceOptions(realtime=True)), RealtimeSource)
    assert isinstance(create_source("synthetic:shapes?live=1", options=SourceOptions(realtime=True)), SyntheticSource)
    assert isinstance(create_source("rtsp://host/", options=SourceOptions(reconnect=False)), NetworkSource)
    assert create_source("7.mkv", name="door").name == "door"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SourceOptions(read_timeout_s=0), r"source\.read_timeout_s must be greater than 0, got 0"),
        (lambda: SourceOptions(read_timeout_s=float("inf")), r"source\.read_timeout_s must be finite, got inf"),
        (lambda: SourceOptions(image_fps=0.000001), r"source\.image_fps must be from 0\.001 to 1000, got 1e-06"),
        (lambda: SourceOptions(image_fps=1e9), r"source\.image_fps must be"),
        (lambda: SourceOptions(image_fps=-1), r"source\.image_fps"),
        (lambda: SourceOptions(fps=0), r"source\.fps"),
        (lambda: SourceOptions(size=(0, 10)), r"source\.size .* 0x10"),
        (lambda: SourceOptions(pixel_format="YUV"), r"source\.pixel_format .* 'YUV'"),
        (lambda: SourceOptions(rtsp_transport="http"), r"source\.rtsp_transport"),  # type: ignore[arg-type]
        (lambda: BackoffOptions(jitter=1), r"backoff\.jitter"),
        (lambda: BackoffOptions(cap_s=float("nan")), r"backoff\.cap_s"),
    ],
)
def test_messages_about_invalid_options_name_key_and_value(make, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_importing_the_factory_imports_neither_av_nor_cv2() -> None:
    import subprocess

    program = "import sys; import streamdet.sources.factory; print({'av', 'cv2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"

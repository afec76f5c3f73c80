"""Downloads from misbehaving servers: what resumes, what restarts, and what is never renamed to the file."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamdet.errors import DownloadError, ModelError
from streamdet.model_spec.origin import Origin, check_url
from streamdet.models.download import DownloadRetries, download_file
from streamdet.models.download_listener import DownloadListener
from streamdet.models.partial_download import locked_partial_download, partial_path
from tests.mirror import Mirror, Reply

CONTENT = bytes(range(256)) * 2000
SIZE = len(CONTENT)
HALF = SIZE // 2 + 17
OTHER = CONTENT[:-1] + b"?"
QUICK = DownloadRetries(timeout_s=10.0, waits_s=(0.0, 0.0, 0.0))
IMPATIENT = DownloadRetries(timeout_s=0.3, waits_s=(0.0,) * 50)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)  # reading the system's takes longer than most tests here
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "models" / "net.onnx"


def origin(*urls: str, content: bytes = CONTENT, size: int | None = None) -> Origin:
    size = len(content) if size is None else size
    return Origin("net", urls, size, sha256=hashlib.sha256(content).hexdigest())


class Strict(DownloadListener):
    """Fails if the file has its final name before the download is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.troubles: list[str] = []
        self.steps: list[int] = []

    def on_start(self, origin, url, path, have_bytes):
        assert not self.path.exists()

    def on_progress(self, have_bytes, total_bytes):
        assert not self.path.exists()
        self.steps.append(have_bytes)

    def on_problem(self, text):
        assert not self.path.exists()
        self.troubles.append(text)


def download(wanted: Origin, path: Path, retries: DownloadRetries = QUICK) -> Strict:
    """Downloads, and checks that the file is right and the only one."""
    listener = Strict(path)
    download_file(wanted, path, listener, retries=retries)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    return listener


def refused(wanted: Origin, path: Path, retries: DownloadRetries = QUICK) -> str:
    """Downloads without success, and checks that the file does not exist; returns the message."""
    with pytest.raises(ModelError) as error:
        download_file(wanted, path, Strict(path), retries=retries)
    assert not path.exists()
    assert "\x1b" not in str(error.value)
    return str(error.value)


def test_an_undisturbed_download(path):
    with Mirror(CONTENT) as mirror:
        listener = download(origin(mirror.url), path)
        (asked,) = mirror.requests
    assert asked.range is None
    assert asked.headers["user-agent"].startswith("streamdet/")
    assert asked.headers["accept-encoding"] == "identity"
    assert listener.steps[0] == 0
    assert listener.steps[-1] == SIZE
    if os.name == "posix":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("etag", ['"v1"', None, 'W/"v1"'])
def test_broken_connection_resumes(path, etag):
    with Mirror(CONTENT, Reply(cut=HALF), Reply(), etag=etag) as mirror:
        listener = download(origin(mirror.url), path)
        first, second = mirror.requests
    assert (first.range, second.range) == (None, f"bytes={HALF}-")
    assert (first.sent, second.sent) == (HALF, SIZE - HALF)
    assert second.headers.get("if-range") == (etag if etag == '"v1"' else None)
    assert listener.troubles == [
        f"127.0.0.1: the connection ended after {HALF} of {SIZE} bytes; trying again in 0 s",
    ]


def test_last_modified_identifies_the_file(path):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    with Mirror(CONTENT, Reply(cut=HALF, headers={"Last-Modified": date}), Reply(), etag=None) as mirror:
        download(origin(mirror.url), path)
        assert mirror.requests[1].headers["if-range"] == date


def test_changed_file_restarts(path):
    with Mirror(CONTENT, Reply(cut=HALF, headers={"ETag": '"old"'}), Reply()) as mirror:
        download(origin(mirror.url), path)
        assert mirror.requests[1].headers["if-range"] == '"old"'
        assert mirror.requests[1].sent == SIZE


def test_retry_count_resets_on_progress(path):
    step = SIZE // 6
    with Mirror(CONTENT, *[Reply(cut=step)] * 6, Reply()) as mirror:
        download(origin(mirror.url), path)
        assert mirror.ranges == [None, *(f"bytes={n * step}-" for n in range(1, 7))]


def test_server_without_ranges_restarts(path):
    with Mirror(CONTENT, Reply(cut=HALF), Reply(ranges=False)) as mirror:
        download(origin(mirror.url), path)
        assert [asked.sent for asked in mirror.requests] == [HALF, SIZE]


def leave_partial_file(wanted: Origin, path: Path, content: bytes) -> Path:
    """Writes a partial file, as an ended process leaves one."""
    part = partial_path(path, wanted)
    part.parent.mkdir()
    part.write_bytes(content)
    return part


def test_partial_download_of_an_ended_process_resumes(path):
    with Mirror(CONTENT) as mirror:
        wanted = origin(mirror.url)
        leave_partial_file(wanted, path, CONTENT[:HALF])
        listener = download(wanted, path)
        assert mirror.ranges == [f"bytes={HALF}-"]
        assert mirror.requests[0].sent == SIZE - HALF
    assert listener.steps[0] == HALF


def test_complete_partial_file_needs_no_server(path):
    wanted = origin("http://127.0.0.1:9/net.onnx")
    leave_partial_file(wanted, path, CONTENT)
    download(wanted, path)


def test_partial_download_of_another_version_is_not_resumed(path):
    with Mirror(CONTENT) as mirror:
        leave_partial_file(origin(mirror.url, content=OTHER), path, OTHER[:HALF])
        download_file(origin(mirror.url), path, retries=QUICK)
        assert mirror.ranges == [None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("left", "ranges"),
    [
        (b"rubbish", ["bytes=7-", None]),
        (OTHER[:-1] + b"!", [None]),
        (CONTENT + b"more", [None]),
    ],
    ids=["wrong start", "complete but wrong", "too long"],
)
def test_wrong_partial_download_is_dropped(path, left, ranges):
    with Mirror(CONTENT) as mirror:
        wanted = origin(mirror.url)
        leave_partial_file(wanted, path, left)
        download(wanted, path)
        assert mirror.ranges == ranges


@pytest.mark.parametrize("known", [True, False], ids=["known size", "unknown size"])
@pytest.mark.parametrize("left", [CONTENT[:HALF], CONTENT, CONTENT + b"more"], ids=["half", "complete", "too long"])
def test_refused_range_does_not_fail_the_download(path, left, known):
    with Mirror(CONTENT, Reply(416), Reply()) as mirror:
        wanted = origin(mirror.url, size=None if known else 0)
        leave_partial_file(wanted, path, left)
        if len(left) >= SIZE and known:
            mirror._replies = [Reply()]
        download(wanted, path)


def test_server_that_refuses_every_range(path):
    with Mirror(CONTENT, Reply(416)) as mirror:
        assert "HTTP 416 " in refused(origin(mirror.url), path)
        assert len(mirror.requests) == 1


CONTENT_RANGES = [
    ("none", "", "it does not state which range"),
    ("garbage", "bytes one-two/three", "it does not state which range"),
    ("huge", f"bytes {'9' * 5000}-1/2", "it does not state which range"),
    ("another part", f"bytes 5-{SIZE - 1}/{SIZE}", "it sends another range than requested"),
    ("another file", f"bytes {HALF}-{SIZE}/{SIZE + 1}", f"its file has {SIZE + 1} bytes, expected {SIZE}"),
]


@pytest.mark.parametrize(
    ("value", "words"), [row[1:] for row in CONTENT_RANGES], ids=[row[0] for row in CONTENT_RANGES]
)
def test_wrong_content_range_is_rejected(path, value, words):
    with Mirror(CONTENT, Reply(cut=HALF), Reply(206, CONTENT[HALF:], headers={"Content-Range": value})) as mirror:
        message = refused(origin(mirror.url), path)
    assert words in message
    assert "of it are kept for the next try" in message


WRONG = [
    ("longer", Reply(body=CONTENT + b"more"), f"its file has {SIZE + 4} bytes, expected {SIZE}"),
    ("shorter", Reply(body=CONTENT[:-4]), f"its file has {SIZE - 4} bytes, expected {SIZE}"),
    ("a page", Reply(body=b"<html>not here</html>"), f"its file has 21 bytes, expected {SIZE}"),
    ("longer, without Content-Length", Reply(body=CONTENT + b"more", declared=-1), f"it sends more than {SIZE} bytes"),
    ("other bytes", Reply(body=OTHER), f"its file is another one: SHA-256 is {hashlib.sha256(OTHER).hexdigest()}"),
    ("packed", Reply(headers={"Content-Encoding": "gzip"}), "it sends the file compressed"),
    ("404", Reply(404), "HTTP 404 Not Found"),
    ("403", Reply(403), "HTTP 403 Forbidden"),
    ("nonstandard status", Reply(299), "HTTP 299"),
    ("no content", Reply(204), "HTTP 204 No Content"),
]


@pytest.mark.parametrize(("reply", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_next_mirror_is_tried(path, reply, words):
    with Mirror(CONTENT, reply) as bad, Mirror(CONTENT) as good:
        listener = download(origin(bad.url, good.url), path)
        assert len(bad.requests) == 1
        assert good.ranges == [None]
    (trouble,) = listener.troubles
    assert trouble.startswith(f"127.0.0.1: {words}")
    assert trouble.endswith("; trying the next mirror")


@pytest.mark.parametrize(("reply", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_failure_of_all_mirrors_is_an_error(path, reply, words):
    with Mirror(CONTENT, reply) as bad:
        wanted = origin(bad.url)
        message = refused(wanted, path)
    assert f"cannot download net: 127.0.0.1: {words}" in message
    assert f"download it with: curl -fL --create-dirs -o {path} {bad.url} ({SIZE} bytes, SHA-256 " in message
    assert list(path.parent.iterdir()) == []


def test_body_shorter_than_its_content_length(path):
    with Mirror(CONTENT, Reply(body=CONTENT[:HALF], declared=SIZE)) as mirror:
        message = refused(origin(mirror.url), path)
        assert mirror.ranges[1] == f"bytes={HALF}-"
    assert f"the connection ended after {HALF} of {SIZE} bytes" in message


def test_endless_body(path, monkeypatch):
    monkeypatch.setattr("streamdet.models.download.MAX_BYTES", 100_000)
    with Mirror(CONTENT, Reply(declared=-1)) as mirror:
        assert "it sends more than 100000 bytes" in refused(origin(mirror.url, size=0), path)
    with Mirror(CONTENT) as mirror:
        assert "its file has 512000 bytes, at most 100000 are read" in refused(origin(mirror.url, size=0), path)
    assert "net has 100001 bytes; models of up to 100000 bytes are read" in refused(
        origin("http://h/a", size=100001), path
    )


def test_digest_without_size(path):
    with Mirror(CONTENT, Reply(declared=-1)) as mirror:
        download(origin(mirror.url, size=0), path)


def test_both_digests_are_checked(path):
    with Mirror(CONTENT) as mirror:
        good = origin(mirror.url)
        wrong = Origin("net", good.urls, SIZE, good.sha256, "0" * 96)
        assert "its file is another one: SHA-384 is" in refused(wrong, path)
        right = Origin("net", good.urls, SIZE, good.sha256.upper(), hashlib.sha384(CONTENT).hexdigest().upper())
        download(right, path)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_temporary_errors_are_retried(path, status):
    with Mirror(CONTENT, Reply(status), Reply(status), Reply()) as mirror:
        download(origin(mirror.url), path)
        assert len(mirror.requests) == 3


def test_permanent_errors_are_not_retried(path):
    with Mirror(CONTENT, Reply(503)) as mirror:
        assert "HTTP 503 Service Unavailable" in refused(origin(mirror.url), path)
        assert len(mirror.requests) == 4


def test_retry_after_is_respected(path, monkeypatch):
    waited = []
    monkeypatch.setattr("streamdet.models.download.time.sleep", waited.append)
    replies = [Reply(429, headers={"Retry-After": after}) for after in ("7", "9999", "Fri, 31 Dec 1999 23:59:59 GMT")]
    with Mirror(CONTENT, *replies, Reply()) as mirror:
        download(origin(mirror.url), path, DownloadRetries(10.0, (1.0, 3.0, 9.0)))
    assert waited == [7.0, 30.0, 9.0]


@pytest.mark.parametrize("stopped", [0, HALF])
def test_silent_connection_is_retried(path, stopped):
    with Mirror(CONTENT, Reply(stall=stopped), Reply()) as mirror:
        listener = download(origin(mirror.url), path, IMPATIENT)
        assert (mirror.ranges[-1] is None) == (stopped == 0)
    # On a busy machine even a working server can be silent for that long.
    assert set(listener.troubles) == {"127.0.0.1: no data arrived for too long; trying again in 0 s"}


def test_refused_connection_is_reported(path, port):
    message = refused(origin(f"http://127.0.0.1:{port}/a", f"http://127.0.0.1:{port}/b"), path)
    assert message.count("127.0.0.1: the connection was refused") == 2


def test_unknown_host_name_is_reported(path):
    assert "its name cannot be resolved: no network, or no such host" in refused(origin("http://no.invalid/a"), path)


def test_server_that_does_not_speak_http(path, monkeypatch):
    with Mirror(CONTENT) as mirror:
        monkeypatch.setattr(mirror._server.RequestHandlerClass, "do_GET", lambda handler: handler.wfile.write(b"SSH-2"))
        assert "its answer is not HTTP" in refused(origin(mirror.url), path)


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs the openssl command")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mirror"
    file = tmp_path / "both.pem"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_certificate_is_verified(path, certificate, monkeypatch):
    with Mirror(CONTENT, tls=certificate) as mirror:
        message = refused(origin(mirror.url), path)
        assert "127.0.0.1: its certificate is not valid (self-signed certificate)" in message
        assert mirror.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        download(origin(mirror.url), path)


def test_http_server_at_an_https_address(path):
    with Mirror(CONTENT) as mirror:
        assert "no secure connection" in refused(origin(mirror.url.replace("http:", "https:")), path)
        assert mirror.requests == []


REDIRECTS = [
    ("to a file", "file:///etc/passwd", "it redirects to an address that is not http or https"),
    ("to ftp", "ftp://127.0.0.1/x", "it redirects to an address that is not http or https"),
    ("to nowhere", "http://", "more than 5 redirects"),
    ("to itself", "/again", "more than 5 redirects"),
    ("to a broken address", "http://[::1/x", "it redirects to an address that is not http"),
]


@pytest.mark.parametrize(("location", "words"), [row[1:] for row in REDIRECTS], ids=[row[0] for row in REDIRECTS])
def test_redirects_that_are_not_followed(path, location, words):
    with Mirror(CONTENT, Reply(302, headers={"Location": location})) as mirror:
        assert words in refused(origin(mirror.url), path)


def test_redirect_from_https_to_http_is_rejected():
    from streamdet.models.http_client import MirrorError, _redirected

    assert _redirected("https://a/x", "//b/y") == "https://b/y"
    assert _redirected("http://a/x", "https://b/y") == "https://b/y"
    with pytest.raises(MirrorError, match="from https to http"):
        _redirected("https://a/x", "http://a/y")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(path, status):
    with Mirror(CONTENT, Reply(cut=HALF), Reply()) as target:
        # The client cannot know where this body ends: it must not be read.
        way = Reply(status, body=b"x" * 100, declared=10**15, headers={"Location": target.url})
        with Mirror(b"", way) as mirror:
            download(origin(mirror.url), path)
            assert mirror.ranges == target.ranges == [None, f"bytes={HALF}-"]


def test_credentials_are_sent_only_to_their_host(path):
    with Mirror(CONTENT) as other, Mirror(b"") as mirror:
        ways = ("/b c", f"http://{mirror.host}/d", other.url)
        mirror._replies = [Reply(302, headers={"Location": way}) for way in ways]
        download(origin(mirror.url.replace("://", "://me:p%40ss@")), path)
        assert [asked.headers.get("authorization") for asked in mirror.requests] == ["Basic bWU6cEBzcw=="] * 3
        assert mirror.requests[1].path == "/b%20c"
        assert "authorization" not in other.requests[0].headers


def test_messages_contain_no_credentials(path):
    with Mirror(CONTENT, Reply(503), Reply(404)) as mirror:
        message = refused(origin(mirror.url.replace("://", "://me:hunter2@") + "?token=s3cret"), path)
    assert "hunter2" not in message
    assert "s3cret" not in message
    assert "***@127.0.0.1" in message


def test_proxy_from_the_environment_is_used(path, monkeypatch):
    with Mirror(CONTENT) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        download(origin("http://example.invalid/net.onnx"), path)
        assert proxy.requests[0].path == "http://example.invalid/net.onnx"


def test_download_needs_a_known_digest(path):
    message = refused(Origin("net", ("http://127.0.0.1:9/a",), 5), path)
    assert message.startswith(
        "net has no known digest, so it is not downloaded: add its `sha256` or `sha384` to the model's"
    )
    assert "download it with: curl" in message
    message = refused(Origin("net", (), 5, sha256="0" * 64), path)
    assert f"no download URL is known for net: get the file and save it as {path}" in message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "file:///etc/passwd", "a.onnx", "http://[::1/a"])
def test_only_http_addresses_are_requested(path, url):
    assert "its address is neither http nor https" in refused(origin(url), path)


REPLIES = st.builds(
    Reply,
    status=st.sampled_from([200, 200, 200, 206, 404, 416, 500]),
    body=st.sampled_from([None, None, CONTENT, OTHER, CONTENT[:HALF], CONTENT + b"more", b""]),
    ranges=st.booleans(),
    declared=st.sampled_from([None, None, -1, 0, SIZE, SIZE + 1]),
    cut=st.none() | st.integers(0, SIZE),
    headers=st.sampled_from([{}, {"Content-Range": f"bytes {HALF}-{SIZE - 1}/{SIZE}"}, {"ETag": '"other"'}]),
)


@settings(max_examples=30)
@given(
    replies=st.lists(REPLIES, min_size=1, max_size=6), left=st.none() | st.integers(0, SIZE + 1), known=st.booleans()
)
def test_only_the_right_file_is_renamed_for_any_server(tmp_path_factory, replies, left, known):
    path = tmp_path_factory.mktemp("any") / "models" / "net.onnx"
    with Mirror(CONTENT, *replies) as mirror:
        wanted = origin(mirror.url, size=None if known else 0)
        if left is not None:
            leave_partial_file(wanted, path, (CONTENT + b"more")[:left])
        try:
            download_file(wanted, path, Strict(path), retries=QUICK)
        except ModelError:
            assert not path.exists()
        else:
            assert path.read_bytes() == CONTENT
            assert list(path.parent.iterdir()) == [path]


def test_existing_file_stays(path):
    path.parent.mkdir()
    path.write_bytes(b"mine")
    with Mirror(CONTENT) as mirror:
        download_file(origin(mirror.url), path, retries=QUICK)
        assert (path.read_bytes(), mirror.requests) == (b"mine", [])
        download_file(origin(mirror.url), path, replace=True, retries=QUICK)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_replaced_file_stays_until_the_end(path):
    path.parent.mkdir()
    path.write_bytes(b"old")
    with Mirror(CONTENT, Reply(404)) as mirror, pytest.raises(DownloadError, match="HTTP 404"):
        download_file(origin(mirror.url), path, replace=True, retries=QUICK)
    assert path.read_bytes() == b"old"


def test_disk_full_before_the_download(path, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=400_000))
    with Mirror(CONTENT) as mirror:
        message = refused(origin(mirror.url), path)
    assert message.startswith(f"no space for net in {path.parent} (0.5 MB are needed, 0.4 MB are free)")
    assert list(path.parent.iterdir()) == []


def test_disk_full_during_the_download(path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Mirror(CONTENT) as mirror:
        wanted = origin(mirror.url)
        resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))  # Python ignores SIGXFSZ: writing fails with EFBIG
        try:
            message = refused(wanted, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert f"0.3 MB are kept in {partial_path(path, wanted)}" in message
        download(wanted, path)
        assert mirror.ranges == [None, f"bytes={HALF}-"]


@pytest.fixture
def closed_folder():
    """A folder that this process may not write to, even as root."""
    if not hasattr(os, "seteuid"):
        pytest.skip("permissions of POSIX")
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        if root:
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(name, 0o755)


def test_folder_without_write_permission(closed_folder):
    with pytest.raises(
        DownloadError, match=r"cannot write .*\.part: Permission denied; STREAMDET_MODELS may name another folder"
    ):
        download_file(origin("http://127.0.0.1:9/"), closed_folder / "net.onnx")
    with pytest.raises(ModelError, match="Permission denied"):
        download_file(origin("http://127.0.0.1:9/"), closed_folder / "deeper" / "net.onnx")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_irregular_partial_file_is_not_written(path, kind, tmp_path):
    wanted = origin("http://127.0.0.1:9/")
    part = partial_path(path, wanted)
    part.parent.mkdir()
    canary = tmp_path / "canary"
    canary.write_text("untouched")
    {"link": lambda: part.symlink_to(canary), "pipe": lambda: os.mkfifo(part), "folder": part.mkdir}[kind]()
    assert "cannot write" in refused(wanted, path)
    assert canary.read_text() == "untouched"


def test_second_process_waits_and_uses_the_file_of_the_first(path):
    with Mirror(CONTENT, Reply(stall=HALF), Reply()) as mirror:
        wanted, waits = origin(mirror.url), threading.Event()
        first = threading.Thread(
            target=download_file, args=(wanted, path), kwargs={"retries": DownloadRetries(60.0, (0.0,))}
        )
        first.start()
        mirror.stalled.wait(30)

        class Second(DownloadListener):
            def on_problem(self, text):
                assert text == "another process is downloading net; waiting for it"
                waits.set()

        second = threading.Thread(target=download_file, args=(wanted, path, Second()))
        second.start()
        assert waits.wait(30)
        assert not path.exists()
        mirror._released.set()  # the connection ends; the first one gets the rest
        first.join(30)
        second.join(30)
        assert mirror.ranges == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_partial_file_removed_while_waiting(tmp_path):
    part, waits, order = tmp_path / "a.part", threading.Event(), []

    def second() -> None:
        with locked_partial_download(part, waits.set) as mine:
            order.append(mine.size)

    with locked_partial_download(part, lambda: None) as first:
        first.append(b"content")
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(30)
        first.finish_as(tmp_path / "a")
    thread.join(30)
    assert order == [0]
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("url", ["https://example.org/a.onnx", "http://me:pw@10.0.0.1:8080/a?b=c", "http://[::1]/a"])
def test_valid_addresses_are_accepted(url):
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.onnx",
        "ftp://h/a",
        "file:///a",
        "http://",
        "http:///a",
        "http://h:99999/",
        "http://h/a b",
        "http://h/\n",
        "http://[::1/",
    ],
)
def test_invalid_addresses_are_rejected(url):
    with pytest.raises(ValueError, match="give addresses that start with https:// or http://"):
        check_url(url)

"""`streamdet models pull`, `verify` and `list`, and the download by `run`, with a real server."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto

import streamdet
from streamdet.cli.main import execute
from streamdet.errors import ModelError
from streamdet.models import catalog
from streamdet.models.shapes_detector import shapes_model
from tests.evaluate.coco_files import write_scene
from tests.mirror import Mirror, Reply
from tests.running import Running

SPEC, MODEL = shapes_model()
HALF = len(MODEL) // 2
SCENE = "synthetic:shapes?frames=3&size=320x240&objects=1&noise=0"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capfd) -> Callable[..., Outcome]:
    def run(*argv: object) -> Outcome:
        capfd.readouterr()
        code = execute([str(argument) for argument in argv])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Outcome(code, out, err)

    return run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("STREAMDET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)  # reading the system's takes longer than a download here
    return tmp_path / "models"


@pytest.fixture
def known(monkeypatch) -> Callable[..., Path]:
    """Returns a function that registers the model "tiny" with some URLs and returns the path of its file."""

    def make(*urls: str, content: bytes = MODEL) -> Path:
        spec = dataclasses.replace(
            SPEC,
            name="tiny",
            urls=urls,
            size_bytes=len(content),
            sha384=hashlib.sha384(content).hexdigest(),
            licence="MIT",
            about="finds shapes",
        )
        monkeypatch.setattr(catalog, "MODELS", (spec,))
        return catalog.models_dir() / "tiny.onnx"

    return make


def described(folder: Path, *urls: str, content: bytes = MODEL, file: str = "own.onnx") -> Path:
    """Writes a description of the same model and returns its path."""
    text = {
        "file": file,
        "urls": list(urls),
        "sha256": hashlib.sha256(content).hexdigest(),
        "contract": SPEC.contract.value,
        "labels": list(SPEC.labels),
        "resize": SPEC.resize.value,
    }
    path = folder / "own.yaml"
    path.write_text(json.dumps(text))  # which is YAML
    return path


def test_list_pull_and_verify(cli, known, folder):
    with Mirror(MODEL) as mirror:
        path = known(mirror.url)
        assert "tiny  (" in cli("models", "list").out
        assert "MIT, not downloaded)" in cli("models", "list").out
        assert "not downloaded: streamdet models pull tiny\n" in cli("models", "info", "tiny").out
        assert json.loads(cli("models", "info", "tiny", "--json").out)["downloaded"] is False
        assert cli("models", "verify").out == f"no known model in {folder}\n"
        assert mirror.requests == []

        pulled = cli("models", "pull", "tiny")
        assert pulled.code == 0
        digest = hashlib.sha384(MODEL).hexdigest()
        assert pulled.out.splitlines() == [
            "tiny: finds shapes",
            f"  license MIT; {len(MODEL)} bytes, SHA-384 {digest}",
            f"  downloaded and verified: {path}",
        ]
        (line,) = pulled.err.splitlines()  # no bar, since this is no terminal
        assert line.startswith("streamdet: downloading tiny (")
        assert line.endswith(f", license MIT) from {mirror.url} into {path}")
        assert path.read_bytes() == MODEL

        again = cli("models", "pull", "--all")
        assert (again.code, again.err) == (0, "")
        assert again.out.endswith(f"  already downloaded, verified: {path}\n")
        assert len(mirror.requests) == 1
        assert cli("models", "pull", "tiny", "--force", "--quiet") == Outcome(0, "", "")
        assert len(mirror.requests) == 2

    assert "MIT, here)" in cli("models", "list").out
    assert cli("models", "verify") == Outcome(0, f"tiny ({path}; {len(MODEL)} bytes, SHA-384 {digest}): correct\n", "")
    assert cli("models", "verify", path).out.startswith(f"{path} is tiny (")
    assert "file         " + str(path) in cli("models", "info", "tiny").out


def test_a_damaged_file_is_detected_and_replaced(cli, known):
    with Mirror(MODEL) as mirror:
        path = known(mirror.url)
        path.parent.mkdir()
        path.write_bytes(MODEL[:-1] + b"?")
        verified = cli("models", "verify", "tiny")
        assert verified.code == 1
        assert verified.out.startswith(f"wrong: {path} is not tiny: its sha384 is ")
        refused = cli("models", "pull", "tiny")
        assert (refused.code, len(refused.err.splitlines())) == (2, 1)
        assert "is not tiny" in refused.err
        assert "models pull --force" in refused.err
        path.write_bytes(b"short")
        assert "damaged, 5 bytes on this machine)" in cli("models", "list").out
        assert json.loads(cli("models", "list", "--json").out)["models"][0]["state"] == "damaged"
        assert cli("models", "pull", "tiny", "--force").code == 0
    assert path.read_bytes() == MODEL


def test_a_partial_download_is_listed(cli, known, folder, monkeypatch):
    monkeypatch.setattr("streamdet.models.download.time.sleep", lambda _: None)
    with Mirror(MODEL, Reply(cut=HALF), Reply(404), Reply()) as mirror:
        path = known(mirror.url)
        failed = cli("models", "pull", "-q", "tiny")
        assert failed.code == 1
        assert "HTTP 404 Not Found" in failed.err
        assert "are kept for the next try" in failed.err
        assert f"partial, {HALF} bytes on this machine)" in cli("models", "list").out
        assert cli("models", "pull", "-q", "tiny") == Outcome(0, "", "")
        assert mirror.ranges[-1] == f"bytes={HALF}-"
    assert [file.name for file in folder.iterdir()] == [path.name]


VERIFIED = [
    (
        "missing",
        "tiny",
        "wrong: tiny is not on this machine: run streamdet models pull tiny, or download it with: curl",
    ),
    ("unknown", "{tmp}/other.onnx", "wrong: {tmp}/other.onnx is not a known model: 5 bytes, SHA-256 "),
    ("nothing", "nothing.onnx", "wrong: no model 'nothing.onnx'"),
    (
        "without hash",
        "{tmp}/bare.yaml",
        "wrong: {tmp}/bare.yaml: the description has no `sha256` or `sha384` to verify: add one",
    ),
]


@pytest.mark.parametrize(("argument", "words"), [row[1:] for row in VERIFIED], ids=[row[0] for row in VERIFIED])
def test_verify_reports_missing_and_unverifiable_files(cli, known, tmp_path, argument, words):
    known("http://127.0.0.1:9/")
    (tmp_path / "other.onnx").write_bytes(b"other")
    (tmp_path / "bare.yaml").write_text("file: other.onnx")
    outcome = cli("models", "verify", argument.format(tmp=tmp_path))
    assert outcome.code == 1
    assert outcome.out.startswith(words.format(tmp=tmp_path))


def test_pull_and_verify_a_description(cli, tmp_path):
    with Mirror(MODEL) as mirror:
        yaml = described(tmp_path, mirror.url)
        assert cli("models", "pull", yaml).code == 0
        assert cli("models", "verify", yaml).code == 0
    assert (tmp_path / "own.onnx").read_bytes() == MODEL


PULLED = [
    ("no model", "", "no model given: name a model or add --all"),
    ("names and --all", "--all tiny", "--all downloads every known model: omit tiny or --all"),
    ("typing mistake", "tiney", "no model 'tiney': did you mean 'tiny'?"),
    ("ONNX file", "{tmp}/other.onnx", "is not a model description: give a known name or a .yaml file"),
    ("folder", "{tmp}", "neither a file here nor a known name"),
    ("bundled model", "synthetic-shapes", "synthetic-shapes is bundled with streamdet: there is nothing to download"),
    (
        "no address",
        "{tmp}/bare.yaml",
        "no download URL is known for bare: get the file and save it as {tmp}/gone.onnx (no digest is known)",
    ),
    (
        "no hash",
        "{tmp}/unsure.yaml",
        "has no known digest, so it is not downloaded: add its `sha256` or `sha384` to the model's description, or",
    ),
    ("target is not a model", "{tmp}/rc.yaml", "does not end in .onnx: only .onnx files are downloaded"),
    (
        "not a web address",
        "{tmp}/ftp.yaml",
        "`urls: ftp://***@h/a` is invalid: give addresses that start with https://",
    ),
    (
        "incomplete hash",
        "{tmp}/half.yaml",
        "`sha256: abc` is invalid: give the 64 hexadecimal digits that sha256sum prints",
    ),
]


@pytest.mark.parametrize(("argument", "words"), [row[1:] for row in PULLED], ids=[row[0] for row in PULLED])
def test_pull_errors(cli, known, tmp_path, argument, words):
    known("http://127.0.0.1:9/")
    (tmp_path / "other.onnx").write_bytes(b"other")
    (tmp_path / "bare.yaml").write_text("file: gone.onnx")
    (tmp_path / "unsure.yaml").write_text("file: gone.onnx\nurls: http://127.0.0.1:9/")
    (tmp_path / "rc.yaml").write_text(f"file: .bashrc\nurls: http://127.0.0.1:9/\nsha256: '{'0' * 64}'")
    (tmp_path / "ftp.yaml").write_text("file: gone.onnx\nurls: ftp://me:hunter2@h/a")
    (tmp_path / "half.yaml").write_text("file: gone.onnx\nsha256: abc")
    outcome = cli("models", "pull", "-q", *argument.format(tmp=tmp_path).split())
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert words.format(tmp=tmp_path) in line
    assert "hunter2" not in line
    assert not (tmp_path / ".bashrc").exists()


@pytest.mark.parametrize("how", ["name", "description"])
def test_run_downloads_on_first_use(cli, known, tmp_path, how):
    with Mirror(b"", Reply(404)) as bad, Mirror(MODEL) as mirror:
        path = known(bad.url, mirror.url)
        model = "tiny" if how == "name" else described(tmp_path, bad.url, mirror.url)
        first = cli("run", SCENE, "-m", model, "-o", "null:")
        assert first.code == 0
        assert first.err.startswith("streamdet: downloading ")
        assert "streamdet: 127.0.0.1: HTTP 404 Not Found; trying the next mirror\n" in first.err
        second = cli("run", SCENE, "-m", model, "-o", "null:")
        assert second.code == 0
        assert "getting" not in second.err
        assert len(mirror.requests) == 1
        file = path if how == "name" else tmp_path / "own.onnx"
        assert file.read_bytes() == MODEL


def test_eval_downloads_after_checking_its_other_inputs(cli, known, tmp_path):
    annotations = write_scene(tmp_path, count=1)
    with Mirror(MODEL) as mirror:
        known(mirror.url)
        for missing in (["-a", tmp_path / "no.json"], ["--images", tmp_path / "no"]):
            outcome = cli("eval", "coco", "-q", "-m", "tiny", "--images", tmp_path, "-a", annotations, *missing)
            assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
        assert mirror.requests == []
        outcome = cli("eval", "coco", "-m", "tiny", "--images", tmp_path, "-a", annotations)
        assert outcome.code == 0
        assert "streamdet: downloading tiny (" in outcome.err
        assert len(mirror.requests) == 1


def test_python_downloads_on_first_use(known, caplog):
    with Mirror(MODEL) as mirror:
        path = known(mirror.url)
        assert streamdet.run(SCENE, "tiny").streams[0].captured == 3
        assert len(list(streamdet.stream(SCENE, "tiny"))) == 3
        assert len(mirror.requests) == 1
    (record,) = [record for record in caplog.records if record.name == "streamdet.models.download_listener"]
    assert record.getMessage().startswith("downloading tiny (")
    path.unlink()
    with pytest.raises(
        ModelError,
        match="tiny is not on this machine: run streamdet models pull tiny, or download it with: curl",
    ):
        streamdet.run(SCENE, "tiny", download=False)


def test_without_a_network_the_message_explains_the_manual_download(cli, known, port, tmp_path):
    path = known(f"http://me:hunter2@127.0.0.1:{port}/a", "http://no.invalid/b")
    outcome = cli("run", "-q", SCENE, "-m", "tiny", "-o", tmp_path / "out.jsonl")
    (line,) = outcome.err.splitlines()
    assert outcome.code == 1
    assert (
        "cannot download tiny: 127.0.0.1: the connection was refused; no.invalid: its name cannot be resolved" in line
    )
    assert (
        f"download it with: curl -fL --create-dirs -o {path} 'http://***@127.0.0.1:{port}/a' ({len(MODEL)} bytes, SHA-"
        in line
    )
    assert "hunter2" not in line
    assert sorted(file.name for file in tmp_path.iterdir()) == ["models"]


def test_no_download_sends_no_request(cli, known):
    with Mirror(MODEL) as mirror:
        known(mirror.url)
        outcome = cli("run", "-q", SCENE, "-m", "tiny", "--no-download")
        assert outcome.code == 2
        assert "tiny is not on this machine: run streamdet models pull tiny, or download it with: curl" in outcome.err
        assert mirror.requests == []


def external(canary: Path) -> bytes:
    model = onnx.load_model_from_string(MODEL)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=os.path.relpath(canary, canary.parent))
    return model.SerializeToString()


def custom(_: Path) -> bytes:
    model = onnx.load_model_from_string(MODEL)
    model.graph.node[0].domain = "evil.example"
    model.opset_import.add(domain="evil.example", version=1)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("make", "words"),
    [(external, "keeps its weights in other files"), (custom, "needs the custom operator evil.example.")],
)
@pytest.mark.parametrize("how", ["name", "description"])
def test_unsafe_models_do_not_reach_the_runtime(cli, known, tmp_path, monkeypatch, make, words, how):
    canary = tmp_path / "models" / "canary"
    canary.parent.mkdir()
    canary.write_bytes(bytes(4096))
    content = make(canary)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("it reached the runtime"))
    with Mirror(content) as mirror:
        known(mirror.url, content=content)
        model = "tiny" if how == "name" else described(tmp_path, mirror.url, content=content)
        for argv in (
            ["models", "pull", "-q", model],
            ["run", "-q", SCENE, "-m", model],
            ["models", "pull", "-q", model],
        ):
            outcome = cli(*argv)
            assert outcome.code == 2
            assert words in outcome.err
        assert len(mirror.requests) == 1


def test_a_file_with_a_wrong_hash_does_not_reach_the_runtime(cli, known, monkeypatch):
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("it reached the runtime"))
    with Mirror(MODEL) as mirror:
        path = known(mirror.url, content=MODEL[:-1] + b"?")
        outcome = cli("run", "-q", SCENE, "-m", "tiny")
        assert outcome.code == 1
        assert "its file is another one: SHA-384 is" in outcome.err
    assert list(path.parent.iterdir()) == []


@contextmanager
def watched(path: Path, content: bytes = MODEL) -> Iterator[None]:
    """Checks throughout that `path`, whenever it exists, is complete and correct."""
    done, wrong = threading.Event(), []

    def check() -> None:
        while not done.wait(0.001):
            if path.exists() and path.read_bytes() != content:
                wrong.append(path.stat().st_size)

    thread = threading.Thread(target=check)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not wrong


def part_size(folder: Path) -> int:
    return sum(part.stat().st_size for part in folder.glob("own.onnx.*.part"))


@pytest.mark.parametrize("command", [["models", "pull"], ["run", SCENE, "-m"]], ids=["pull", "run"])
def test_ctrl_c_keeps_the_partial_download(tmp_path, command):
    path = tmp_path / "own.onnx"
    with Mirror(MODEL, Reply(stall=HALF), Reply()) as mirror, watched(path):
        yaml = described(tmp_path, mirror.url)
        with Running(*command, yaml, folder=tmp_path) as run:
            run.wait_for("half of it", lambda: part_size(tmp_path) == HALF)
            run.signal()
            assert run.ends() == 130
            assert "Traceback" not in run.stderr
            if command[0] == "models":
                assert "are kept, and the same command resumes the download" in run.stderr
        assert not path.exists()
        assert part_size(tmp_path) == HALF
        with Running("models", "pull", yaml, folder=tmp_path) as run:
            assert run.ends() == 0
        assert mirror.ranges == [None, f"bytes={HALF}-"]
        assert mirror.requests[1].sent == len(MODEL) - HALF
    assert path.read_bytes() == MODEL
    assert part_size(tmp_path) == 0


def test_a_killed_download_is_resumed(tmp_path):
    path = tmp_path / "own.onnx"
    with Mirror(MODEL, Reply(stall=HALF), Reply()) as mirror, watched(path):
        yaml = described(tmp_path, mirror.url)
        with Running("models", "pull", yaml, folder=tmp_path) as run:
            run.wait_for("half of it", lambda: part_size(tmp_path) == HALF)
            run.kill_hard()
        with Running("models", "pull", yaml, folder=tmp_path) as run:  # the lock ended with its holder
            assert run.ends() == 0
        assert mirror.ranges == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == MODEL


def test_two_processes_download_once(tmp_path):
    path, other = tmp_path / "own.onnx", tmp_path / "other"
    other.mkdir()
    with Mirror(MODEL, Reply(stall=HALF), Reply()) as mirror, watched(path):
        yaml = described(tmp_path, mirror.url)
        with (
            Running("models", "pull", yaml, folder=tmp_path) as first,
            Running("models", "pull", yaml, folder=other) as second,
        ):
            mirror.stalled.wait(60)
            waiting = "another process is downloading own; waiting for it"
            first.wait_for("the other to wait", lambda: waiting in first.stderr + second.stderr)
            mirror._released.set()
            assert (first.ends(), second.ends()) == (0, 0)
        assert mirror.ranges == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == MODEL

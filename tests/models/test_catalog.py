"""Resolving what is typed after `-m` to a spec and a checked file."""

import dataclasses
import hashlib
import re

import numpy as np
import pytest

from streamdet.errors import ConfigError, ModelError
from streamdet.inference.session import Session
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import (
    ALIASES,
    MODELS,
    find_model,
    model_file_name,
    models_dir,
    read_catalog_model,
    resolve_model,
)
from streamdet.models.shapes_detector import shapes_model

from .nets import model_with


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("STREAMDET_MODELS", str(folder))
    return folder


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.onnx"
    path.write_bytes(model_with({"images": [1, 3, 64, 64]}, {"rows": [1, 9, 6]}).SerializeToString())
    return path


def test_catalog_is_complete():
    for spec in MODELS:
        assert spec.urls
        assert all(url.startswith("https://") for url in spec.urls)
        assert spec.size_bytes
        assert len(spec.sha256) == 64 or len(spec.sha384) == 96
        assert spec.licence
        assert spec.about
        assert len(spec.labels) == 80
    for alias, name in ALIASES.items():
        assert find_model(alias) is find_model(name) is not None


@pytest.mark.parametrize("name", ["ssd-resnet34-1200", "ssd-resnet34-1200-onnx", "yolox-nano"])
def test_missing_catalog_model_names_url_size_and_digest(name, models):
    with pytest.raises(ModelError) as error:
        resolve_model(name)
    spec = find_model(name)
    for fact in (spec.urls[0], str(spec.size_bytes), spec.sha256 or spec.sha384, str(models / model_file_name(spec))):
        assert fact in str(error.value)


def test_downloaded_catalog_model(models, data_dir):
    original = data_dir / "models" / "yolox_nano.onnx"
    (models / "yolox-nano.onnx").symlink_to(original)
    spec, file = resolve_model("yolox-nano")
    assert (spec.contract, file.data) == (Contract.YOLOX, original.read_bytes())
    assert file.name == str(models / "yolox-nano.onnx")


def test_models_folder_from_the_environment(models, monkeypatch):
    assert models_dir() == models
    monkeypatch.delenv("STREAMDET_MODELS")
    assert models_dir().name == "models"
    assert models_dir().is_absolute()


@pytest.mark.parametrize("chosen", ["", "~nobodyhere/models"])
def test_models_folder_without_a_home_directory(monkeypatch, chosen):
    def homeless(*_, **__):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_dir", homeless)
    monkeypatch.setenv("STREAMDET_MODELS", chosen)
    with pytest.raises(ModelError, match="no home directory to keep models in: set STREAMDET_MODELS to the full path"):
        models_dir()


def test_unknown_home_directory_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"no model '~nobodyhere/a\.onnx': neither a file here nor a known name"):
        resolve_model("~nobodyhere/a.onnx")
    (tmp_path / "a.yaml").write_text("file: ~nobodyhere/a.onnx")
    with pytest.raises(ConfigError, match=r"`file: ~nobodyhere/a\.onnx` is invalid: there is no such home directory"):
        resolve_model(tmp_path / "a.yaml")


def test_modified_file_is_rejected(tmp_path, models):
    good = b"weights"
    spec = dataclasses.replace(MODELS[1], size_bytes=len(good), sha256=hashlib.sha256(good).hexdigest())
    path = models / model_file_name(spec)
    path.write_bytes(good)
    assert read_catalog_model(spec) == (good, str(path))
    path.write_bytes(b"weight!")
    with pytest.raises(ModelError, match=r"is not yolox-nano: its sha256 is .* expected"):
        read_catalog_model(spec)
    path.write_bytes(b"short")
    with pytest.raises(ModelError, match="has 5 bytes, yolox-nano has 7"):
        read_catalog_model(spec)


def test_a_file_is_resolved(rows):
    spec, file = resolve_model(rows)
    assert (spec.name, spec.contract, file) == ("rows.onnx", Contract.END2END, (rows.read_bytes(), str(rows)))


def test_description_next_to_a_file_is_used(rows):
    rows.with_suffix(".yaml").write_text("name: mine\nlabels: [a]")
    spec, file = resolve_model(str(rows))
    assert (spec.name, spec.labels, file.name) == ("mine", ("a",), str(rows))


def test_a_description_is_resolved(rows, tmp_path):
    described = tmp_path / "other.yml"
    described.write_text("file: rows.onnx\nbox_normalized: true")
    spec, file = resolve_model(described)
    assert (spec.box_normalized, file.name) == (True, str(rows))


def test_hash_in_a_description_is_checked(rows):
    description = rows.with_suffix(".yaml")
    description.write_text(f"sha256: {hashlib.sha256(rows.read_bytes()).hexdigest().upper()}")
    resolve_model(rows)
    description.write_text(f"sha256: '{'0' * 64}'")
    with pytest.raises(ModelError, match="its sha256 is"):
        resolve_model(rows)


@pytest.fixture
def shapes(tmp_path):
    """A model file that runs."""
    path = tmp_path / "shapes.onnx"
    path.write_bytes(shapes_model()[1])
    return path


@pytest.mark.parametrize("how", ["file", "description", "known name"])
def test_checked_content_is_what_runs(shapes, models, tmp_path, how):
    good = shapes.read_bytes()
    (tmp_path / "own.yaml").write_text(f"file: shapes.onnx\nsha256: {hashlib.sha256(good).hexdigest()}")
    known_one = dataclasses.replace(shapes_model()[0], name="mine", sha256=hashlib.sha256(good).hexdigest())
    (models / "mine.onnx").write_bytes(good)
    path = models / "mine.onnx" if how == "known name" else shapes
    _, file = resolve_model({"file": shapes, "description": tmp_path / "own.yaml", "known name": known_one}[how])
    path.write_bytes(b"swapped")
    with (
        Session(file, provider="cpu") as session,
        pytest.raises(ModelError, match=re.escape(f"{path} failed on a batch of float32 (1, 7)")),
    ):
        session.run(np.zeros((1, 7), np.float32))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolox-nan", "did you mean 'yolox-nano'?"),
        (
            "whatever",
            "neither a file here nor a known name (ssd-resnet34-1200, yolox-nano, ssd-demo, synthetic-shapes)",
        ),
        ("gone.onnx", "neither a file here"),
    ],
)
def test_unknown_model_is_an_error(name, message):
    with pytest.raises(ModelError) as error:
        resolve_model(name)
    assert message in str(error.value)


def test_a_folder_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="is a folder"):
        resolve_model(tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("name: x", ConfigError, "`file` is missing: name the ONNX file, for instance `file: own.onnx`"),
        ("file: gone.onnx", ModelError, "named in"),
    ],
)
def test_description_without_its_model_file_is_an_error(tmp_path, text, error, message):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(error) as raised:
        resolve_model(path)
    assert message in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x07garbage", b"version https://git-lfs.github.com/spec/v1"])
def test_file_that_is_not_a_model_is_an_error(tmp_path, content):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not an ONNX model"):
        resolve_model(path)

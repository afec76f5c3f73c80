"""Models known by name, and how what a user types after `-m` becomes a file and its description."""

from __future__ import annotations

import difflib
import hashlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from streamdet.errors import ConfigError, ModelError
from streamdet.labels import COCO80
from streamdet.models.description import Description, read_description
from streamdet.models.ir import AS_CONVERTED, ir_signature, is_ir
from streamdet.models.load import ModelFile, parse_bytes, read_model
from streamdet.models.recognise import FAMILIES, recognise
from streamdet.models.signature import signature_of
from streamdet.models.spec import Contract, ModelSpec

MODELS_VARIABLE = "STREAMDET_MODELS"
"""Environment variable naming the folder of downloaded models."""

MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="ssd-resnet34-1200",
        contract=Contract.SSD_PUBLISHED,
        width=1200,
        height=1200,
        labels=COCO80,
        urls=(
            "https://storage.openvinotoolkit.org/repositories/open_model_zoo/public/2022.1/ssd-resnet34-1200-onnx/"
            "resnet34-ssd1200.onnx",
            "https://zenodo.org/record/3228411/files/resnet34-ssd1200.onnx",
        ),
        size_bytes=80_363_696,
        sha384="754dd59fdb244e6a93f6173efe26c45bce804305f71b1d0a8a3eb555b3a120894658a0b97475840b93f3c2a30c5efd99",
        licence="Apache-2.0",
        about="SSD with ResNet-34 at 1200x1200, 433 GFLOPs, 80 COCO classes, mAP 0.20 (MLPerf ssd-large)",
        **FAMILIES[Contract.SSD_PUBLISHED],
    ),
    ModelSpec(
        name="yolox-nano",
        contract=Contract.YOLOX,
        width=416,
        height=416,
        labels=COCO80,
        urls=(
            "https://raw.githubusercontent.com/Kazuhito00/MOT-Tracking-by-Detection-Pipeline/e50a76b8b430/"
            "Detector/yolox/model/yolox_nano_416x416.onnx",
        ),
        size_bytes=3_660_092,
        sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
        licence="Apache-2.0",
        about="YOLOX-nano at 416x416, 1 GFLOP, 80 COCO classes, mAP 0.258: fast enough for any CPU",
        **FAMILIES[Contract.YOLOX],
    ),
)

SHAPES = "synthetic-shapes"
"""Name of the detector of the synthetic scene, which is made up when it is asked for."""

ALIASES = {"ssd-resnet34-1200-onnx": "ssd-resnet34-1200", "yolox_nano": "yolox-nano"}
"""Other names for the same models; the first is Open Model Zoo's."""


def models_dir() -> Path:
    """Returns the folder where named models are looked for."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("streamdet", appauthor=False)) / "models"


def known(name: str) -> ModelSpec | None:
    """Returns the model of that name, None where there is none."""
    name = ALIASES.get(name, name)
    return next((spec for spec in MODELS if spec.name == name), None)


def file_name(spec: ModelSpec) -> str:
    """Returns how a named model's file is called in the models folder."""
    return f"{spec.name}.onnx"


def locate(spec: ModelSpec, folder: Path | None = None) -> ModelFile:
    """Reads and checks the file of a named model.

    Args:
        spec: a model with its size and hash.
        folder: where to look; `models_dir()` by default.

    Raises:
        ModelError: it is not there, or is not the file it should be.
    """
    path = (folder or models_dir()) / file_name(spec)
    if not path.is_file():
        command = f"curl -L --create-dirs -o {shlex.quote(str(path))} {spec.urls[0]}" if spec.urls else ""
        how = f"get it with: {command}" if command else f"get the file and save it as {path}"
        raise ModelError(f"{spec.name} is not on this machine: {how} ({_hash_text(spec)})")
    file = read_model(path)
    verify(spec, file)
    return file


def verify(spec: ModelSpec, file: ModelFile) -> None:
    """Checks a file against the size and hashes of its spec, as far as they are known.

    Raises:
        ModelError: it differs.
    """
    size = len(file.data)
    if spec.size_bytes and size != spec.size_bytes:
        raise ModelError(f"{file.name} has {size} bytes, {spec.name} has {spec.size_bytes}: delete it and get it again")
    for algorithm, expected in (("sha256", spec.sha256), ("sha384", spec.sha384)):
        if expected:
            found = hashlib.new(algorithm, file.data).hexdigest()
            if found != expected.lower():
                raise ModelError(f"{file.name} is not {spec.name}: its {algorithm} is {found}, expected {expected}")


def _hash_text(spec: ModelSpec) -> str:
    hashes = [f"SHA-{name} {value}" for name, value in (("256", spec.sha256), ("384", spec.sha384)) if value]
    return ", ".join([f"{spec.size_bytes} bytes", *hashes] if spec.size_bytes else hashes) or "no hash is known"


def resolve(model: str | Path | ModelSpec | ModelFile, contract: Contract | None = None) -> tuple[ModelSpec, ModelFile]:
    """Returns the description of a model and what is in its file, read once and checked.

    Args:
        model: a known name, an ONNX file (described by a YAML file of the same name beside it, where there is one), a
            YAML description, a spec of a model in the models folder, or what is in a file.
        contract: what the outputs of a file mean, instead of recognising it.

    Raises:
        ModelError: it is not there, or cannot be understood; the message says what to do.
        ConfigError: its description has an error.
    """
    if isinstance(model, ModelSpec):
        return model, locate(model)
    if isinstance(model, ModelFile):
        return _recognised(model, {} if contract is None else {"contract": contract}), model
    path = Path(model).expanduser()
    if str(model) == SHAPES and not os.path.exists(path):
        from streamdet.models.shapes import shapes_model

        spec, data = shapes_model()
        return spec, ModelFile(data, SHAPES)
    if (named := known(str(model))) is not None and not os.path.isfile(path):
        return named, locate(named)
    if path.suffix.casefold() in (".yaml", ".yml"):
        description = read_description(path)
        if description.file is None:
            raise ConfigError(f"{path}: `file` is missing: name the ONNX file, like `file: {path.stem}.onnx`")
        return _describe(description.file, description, contract)
    if os.path.isdir(path):  # unlike Path's, these are false for names that cannot be
        raise ModelError(f"{path} is a folder: name an ONNX file in it")
    if not os.path.isfile(path):
        raise ModelError(_no_model(str(model)))
    beside = next((p for p in (path.with_suffix(".yaml"), path.with_suffix(".yml")) if p.is_file()), None)
    return _describe(path, None if beside is None else read_description(beside), contract)


def _describe(path: Path, description: Description | None, contract: Contract | None) -> tuple[ModelSpec, ModelFile]:
    if not path.is_file():
        named = f", named by {description.path}" if description else ""
        raise ModelError(f"there is no model file {path}{named}")
    given = {} if description is None else dict(description.fields)
    if contract is not None:
        given["contract"] = contract
    file = read_model(path)
    spec = _recognised(file, given)
    verify(spec, file)
    return spec, file


def _recognised(file: ModelFile, given: Mapping[str, Any]) -> ModelSpec:
    name = os.path.basename(file.name)
    if not is_ir(file):
        return recognise(signature_of(parse_bytes(*file)), name, given)
    signature = ir_signature(file)
    return recognise(signature, name, given if signature.metadata else {**AS_CONVERTED, **given})


def _no_model(name: str) -> str:
    names = [*(spec.name for spec in MODELS), SHAPES]
    close = difflib.get_close_matches(name, [*names, *ALIASES], n=1)
    if close:
        return f"no model {name!r}: did you mean {ALIASES.get(close[0], close[0])!r}?"
    return f"no model {name!r}: neither a file here nor a known name ({', '.join(names)})"

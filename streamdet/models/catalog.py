"""The catalog of models known by name, and resolving what a user types after `-m` to a spec and a file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from streamdet.errors import ConfigError, ModelError
from streamdet.labels import COCO80
from streamdet.model_spec.origin import Origin
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.bundled import BUNDLED_MODELS, bundled_model
from streamdet.models.description import Description, read_description
from streamdet.models.model_cache import Downloader, read_cached_model, refuse_download, verify_file
from streamdet.models.onnx_file import ModelFile, read_model
from streamdet.models.openvino_ir import CONVERTED_MODEL_FIELDS, is_ir, model_signature
from streamdet.models.recognize import CONTRACT_DEFAULTS, recognize

MODELS_VARIABLE = "STREAMDET_MODELS"
"""Environment variable with the folder of downloaded models."""

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
        **CONTRACT_DEFAULTS[Contract.SSD_PUBLISHED],
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
        **CONTRACT_DEFAULTS[Contract.YOLOX],
    ),
)

ALIASES = {"ssd-resnet34-1200-onnx": "ssd-resnet34-1200", "yolox_nano": "yolox-nano"}
"""Other names of the same models; the first is Open Model Zoo's."""


def models_dir() -> Path:
    """Returns the folder of downloaded models.

    Raises:
        ModelError: there is no home directory.
    """
    chosen = os.environ.get(MODELS_VARIABLE)
    try:
        if chosen:
            return Path(chosen).expanduser()
        return Path(platformdirs.user_cache_dir("streamdet", appauthor=False)) / "models"
    except RuntimeError:
        fix = f"set {MODELS_VARIABLE} to the full path of a folder"
        raise ModelError(f"there is no home directory to keep models in: {fix}") from None


def find_model(name: str) -> ModelSpec | None:
    """Returns the model of that name, None if it is unknown."""
    name = ALIASES.get(name, name)
    return next((spec for spec in MODELS if spec.name == name), None)


def model_file_name(spec: ModelSpec) -> str:
    """Returns the file name of a catalog model in the models folder."""
    return f"{spec.name}.onnx"


def read_catalog_model(
    spec: ModelSpec, folder: Path | None = None, download: Downloader = refuse_download
) -> ModelFile:
    """Reads and checks the file of a catalog model; downloads it first if it is missing.

    Args:
        spec: a model with its size and hash.
        folder: folder of the file; `models_dir()` by default.
        download: called if the file is missing; the default raises with instructions.

    Raises:
        ModelError: the file is missing or does not match.
    """
    return read_cached_model(spec.origin, (folder or models_dir()) / model_file_name(spec), download)


def expand_path(model: str | Path) -> Path:
    """Returns a model argument as a path with `~` expanded; an unknown home directory is left as typed."""
    return Path(os.path.expanduser(model))


def find_origin(model: str) -> tuple[Origin, Path]:
    """Returns the origin and the path of the file of a known or described model; the file itself is not read.

    Raises:
        ModelError: the model is unknown, or has no file to download.
        ConfigError: its description has an error.
    """
    path = expand_path(model)
    if (named := find_model(model)) is not None and not os.path.isfile(path):
        return named.origin, models_dir() / model_file_name(named)
    if model in BUNDLED_MODELS:
        raise ModelError(f"{model} is bundled with streamdet: there is nothing to download")
    if not os.path.isfile(path):
        raise ModelError(_unknown_model_message(model))
    if path.suffix.casefold() not in (".yaml", ".yml"):
        raise ModelError(f"{path} is not a model description: give a known name or a .yaml file")
    description = read_description(path)
    return description.origin, _described_file(description)


def _described_file(description: Description) -> Path:
    if description.file is None:
        path = description.path
        raise ConfigError(f"{path}: `file` is missing: name the ONNX file, for instance `file: {path.stem}.onnx`")
    return description.file


def resolve_model(
    model: str | Path | ModelSpec | ModelFile, contract: Contract | None = None, download: Downloader = refuse_download
) -> tuple[ModelSpec, ModelFile]:
    """Returns the spec of a model and the content of its file, read once and checked.

    Args:
        model: a known name, an ONNX file (with a YAML description of the same name next to it, if there is one), a YAML
            description, a spec of a model in the models folder, or the content of a file.
        contract: the output contract of a file; None recognizes it.
        download: called for the missing file of a known or described model. The default raises with instructions;
            nothing is downloaded.

    Raises:
        ModelError: the file is missing or cannot be understood; the message states the fix.
        ConfigError: its description has an error.
    """
    if isinstance(model, ModelSpec):
        return model, read_catalog_model(model, download=download)
    if isinstance(model, ModelFile):
        return _recognize_file(model, {} if contract is None else {"contract": contract}), model
    path = expand_path(model)
    if str(model) in BUNDLED_MODELS and not os.path.isfile(path):
        return bundled_model(str(model))
    if (named := find_model(str(model))) is not None and not os.path.isfile(path):
        return named, read_catalog_model(named, download=download)
    if path.suffix.casefold() in (".yaml", ".yml"):
        description = read_description(path)
        return _resolve_file(_described_file(description), description, contract, download)
    if os.path.isdir(path):  # unlike Path.is_dir, these return False for invalid names
        raise ModelError(f"{path} is a folder: give an ONNX file in it")
    if not os.path.isfile(path):
        raise ModelError(_unknown_model_message(str(model)))
    sidecar = next((p for p in (path.with_suffix(".yaml"), path.with_suffix(".yml")) if p.is_file()), None)
    return _resolve_file(path, None if sidecar is None else read_description(sidecar), contract, download)


def _resolve_file(
    path: Path, description: Description | None, contract: Contract | None, download: Downloader
) -> tuple[ModelSpec, ModelFile]:
    if not path.is_file() and description is not None:
        if not description.origin.urls:
            raise ModelError(f"the model file {path}, named in {description.path}, does not exist")
        download(description.origin, path)
    given = {} if description is None else dict(description.fields)
    if contract is not None:
        given["contract"] = contract
    file = read_model(path)
    if description is not None:
        verify_file(description.origin, file)
    return _recognize_file(file, given), file


def _recognize_file(file: ModelFile, given: Mapping[str, Any]) -> ModelSpec:
    name = os.path.basename(file.name)
    signature = model_signature(file)
    is_omz_conversion = is_ir(file) and not signature.metadata
    return recognize(signature, name, {**CONVERTED_MODEL_FIELDS, **given} if is_omz_conversion else given)


def _unknown_model_message(name: str) -> str:
    names = [*(spec.name for spec in MODELS), *BUNDLED_MODELS]
    close = difflib.get_close_matches(name, [*names, *ALIASES], n=1)
    if close:
        return f"no model {name!r}: did you mean {ALIASES.get(close[0], close[0])!r}?"
    return f"no model {name!r}: neither a file here nor a known name ({', '.join(names)})"

"""Candidates of the inference benchmark: models per provider and precision, and baselines that only infer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.bench.preprocess import synthetic_picture
from streamdet.detect.preprocess import Preprocessor
from streamdet.errors import HardwareError, ModelError, UsageError
from streamdet.inference.detector import DetectorOptions, ModelDetector
from streamdet.inference.providers import Precision, Provider, ProviderMissing, ProviderOptions
from streamdet.inference.providers.checked_model import read_checked_model
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.inference.session import Session
from streamdet.model_spec.signature import fixed_size
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.catalog import resolve_model
from streamdet.models.model_cache import Downloader, refuse_download
from streamdet.models.model_info import inspect_model
from streamdet.models.onnx_file import ModelFile
from streamdet.models.openvino_ir import is_ir, read_weights
from streamdet.openvino_runtime import has_openvino, openvino_core
from streamdet.types import StageTimes

_Infer = Callable[[NDArray[np.generic]], object]


@dataclass(frozen=True, slots=True)
class BenchmarkedModel:
    """A model to measure.

    Attributes:
        name: name in tables.
        spec: its specification.
        file: its file.
        weights: precision of the stored weights.
        threads: CPU threads for inference.
        gflop: arithmetic per image, 0 if unknown.
    """

    name: str
    spec: ModelSpec
    file: ModelFile
    weights: Precision
    threads: int
    gflop: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model on one provider in one precision, or a baseline.

    Attributes:
        model: the model.
        runs_on: provider, or the name of a baseline.
        precision: the precision it computes in, for display.
        requested_precision: as passed to `Session`; "" for a baseline.
        detect: runs one picture and returns the time of each stage.
        infer: runs a preprocessed batch.
        any_batch: whether `infer` accepts batches of any size.
        explain: why this provider and precision were chosen.
    """

    model: BenchmarkedModel
    runs_on: str
    precision: str
    requested_precision: str
    detect: Callable[[], StageTimes]
    infer: _Infer
    any_batch: bool
    explain: str = ""


def load_benchmarked_model(
    model: str | Path, threads: int = 0, download: Downloader = refuse_download
) -> BenchmarkedModel:
    """Loads a model.

    Args:
        model: as for `load_detector`.
        threads: CPU threads for inference; 0 chooses.
        download: as for `load_detector`.

    Raises:
        ModelError: the model does not exist or cannot be used.
    """
    spec, file = resolve_model(model, download=download)
    network, threads = read_checked_model(file, threads)
    graph = inspect_model(file, spec).graph
    gflop = graph.arithmetic.gflops if graph else 0.0
    return BenchmarkedModel(Path(file.name).name, spec, file, network.weights, threads, gflop)


def make_candidates(
    models: Sequence[BenchmarkedModel], providers: Sequence[Provider], precisions: Sequence[Precision]
) -> tuple[list[Candidate], list[str]]:
    """Returns the candidates that work on this machine, and one line for each that does not.

    Args:
        models: the models.
        providers: the providers to run on.
        precisions: the precisions to compute in; empty for all that a provider and a model support.
    """
    found: list[Candidate] = []
    skipped: dict[str, None] = {}  # in order, each once
    for model in models:
        for provider in providers:
            seen = set()
            for precision in precisions or (Precision.AUTO, Precision.FP32, Precision.FP16, Precision.BF16):
                try:
                    made = _candidate(model, provider, precision)
                except ProviderMissing as error:
                    skipped[f"{provider.short}: {error.reason}"] = None
                    break
                except (UsageError, HardwareError, ModelError) as error:
                    if precisions or precision is Precision.AUTO:  # the others were not requested by name
                        skipped[f"{provider.short} in {precision.value}: {error}"] = None
                    continue
                if made.precision not in seen:  # auto equals one of the others, and a quantized model has only one
                    seen.add(made.precision)
                    found.append(made)
    return found, list(skipped)


def batch_of(model: BenchmarkedModel, count: int) -> NDArray[np.generic]:
    """Returns a preprocessed batch of `count` copies of one picture."""
    preprocessor = Preprocessor(model.spec)
    batch = np.zeros((count, *preprocessor.shape), preprocessor.dtype)
    preprocessor(synthetic_picture(), batch[0])
    batch[1:] = batch[0]
    return batch


def _candidate(model: BenchmarkedModel, provider: Provider, precision: Precision) -> Candidate:
    session = Session(
        model.file,
        provider=provider.short,
        precision=precision.value,
        threads=model.threads,
        options=ProviderOptions(max_batch=8),
    )
    detector = ModelDetector(model.spec, session, DetectorOptions())
    detector.warm_up()
    picture = synthetic_picture()
    open_batch = not fixed_size(session.input.shape[0])
    return Candidate(
        model,
        provider.short,
        session.precision,
        precision.value,
        lambda: detector.detect([picture])[0].times,
        session.run,
        open_batch,
        session.explain,
    )


def baselines(candidate: Candidate, against_openvino: bool) -> Iterator[Candidate]:
    """Yields baselines that run the same file as its library's documentation shows, with the same number of threads.

    They are ONNX Runtime for every float model, and OpenVINO for its provider in the same precision.
    """
    model = candidate.model
    if candidate.runs_on == Provider.CPU.short and model.weights is Precision.FP32:
        yield _inference_only(model, "plain onnxruntime", "fp32", _plain_onnxruntime(model))
    if candidate.runs_on == Provider.OPENVINO.short and against_openvino and has_openvino():
        runs = _plain_openvino(model, candidate.precision)
        yield _inference_only(model, "plain openvino", candidate.precision, runs)


def _inference_only(
    model: BenchmarkedModel, name: str, precision: str, infer: Callable[[NDArray[np.generic]], object]
) -> Candidate:
    batch = batch_of(model, 1)

    def detect() -> StageTimes:
        start = time.perf_counter()
        infer(batch)
        return StageTimes(infer_ms=1000 * (time.perf_counter() - start))

    detect()
    return Candidate(model, name, precision, "", detect, infer, False)


def _plain_onnxruntime(model: BenchmarkedModel) -> _Infer:
    onnxruntime = onnxruntime_module()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = model.threads
    session = onnxruntime.InferenceSession(model.file.data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})


def _plain_openvino(model: BenchmarkedModel, precision: str) -> _Infer:
    core = openvino_core()
    config: dict[str, str | int] = {"INFERENCE_NUM_THREADS": model.threads, "PERFORMANCE_HINT": "LATENCY"}
    if precision != "int8":
        config["INFERENCE_PRECISION_HINT"] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}[precision]
    weights = read_weights(model.file) if is_ir(model.file) else b""
    network = core.read_model(model.file.data, weights)
    request = core.compile_model(network, "CPU", config).create_infer_request()
    return lambda batch: request.infer([batch], share_inputs=True)

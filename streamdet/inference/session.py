"""An inference session: one model in a runtime, on the requested hardware."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from streamdet.errors import HardwareError, ModelError, UsageError
from streamdet.inference.providers import (
    AUTO_ORDER,
    CheckedModel,
    Engine,
    Provider,
    ProviderMissing,
    ProviderOptions,
    create_engine,
    missing_driver,
    parse_precision,
    parse_provider,
)
from streamdet.inference.providers.checked_model import read_checked_model
from streamdet.models.onnx_file import ModelFile
from streamdet.redact import redact

# Prefixes of runtime errors: code and name of the error class, then file, line and function in the sources.
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_SOURCE_LINE = re.compile(r"/?\S*\.(?:cc|cpp|h|hpp|cu):\d+ .*?\)(?: const)? (?=\S)")
_OPENVINO = re.compile(r"(?:Exception from|Check '.*?' failed at) \S+:\d+: *")


class Session:
    """Runs one model. Call it from one thread at a time; input arrays are only read.

    Args:
        model: an ONNX or OpenVINO file, or the content of an ONNX file.
        provider: ``auto``, ``cuda``, ``tensorrt``, ``openvino`` or ``cpu``. If a named one does not
            work, that is an error.
        precision: ``auto``, ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        threads: CPU threads; 0 uses all CPUs for a heavy network and all but one for others.
        options: other options of the provider; its precision and threads are ignored.

    Attributes:
        provider: the provider that runs the model.
        precision: the precision it computes in.
        explain: why, in one line for the user.
        input: the only input of the model.
        outputs: outputs of the model, in graph order.

    Raises:
        ModelError: the file cannot be read, is not a model, or cannot be run here.
        HardwareError: a provider requested by name is not available.
        UsageError: an unknown name, or a precision that the provider or the model does not have.
    """

    def __init__(
        self,
        model: Path | bytes | ModelFile,
        *,
        provider: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        options: ProviderOptions | None = None,
    ) -> None:
        requested = parse_provider(provider)
        arithmetic = parse_precision(precision)
        checked, threads = read_checked_model(model, threads)
        options = replace(options or ProviderOptions(), precision=arithmetic, threads=threads)
        self._name = checked.name
        self._engine: Engine | None
        if requested is None:
            self._engine, chosen, skipped = _create_best_engine(checked, options)
        else:
            self._engine, chosen, skipped = _create_checked(checked, requested, options), requested, []
        self.provider, self.precision = chosen.short, self._engine.precision
        why = "the best that works here" if requested is None else "as requested"
        self.explain = "; ".join([f"{self.provider} in {self.precision}, {why}", *self._engine.notes])
        self.explain += f" ({'; '.join(skipped)})" if skipped else ""
        if len(self._engine.inputs) != 1:
            names = ", ".join(port.name for port in self._engine.inputs)
            raise ModelError(
                f"{self._name} has {len(self._engine.inputs)} inputs ({names}); a detector needs exactly one, the image"
            )
        self.input = self._engine.inputs[0]
        self.outputs = self._engine.outputs

    def run(self, batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs the model.

        Args:
            batch: shape and dtype of `input`; copied if it is not C-contiguous. The caller may change it afterwards.

        Returns:
            Output arrays by name; they belong to the caller.

        Raises:
            ModelError: the batch does not fit the model, or the model failed on it.
        """
        if self._engine is None:
            raise RuntimeError("this session is closed")
        try:
            results = self._engine.run(batch)
        except Exception as error:
            batch_type = f"{batch.dtype.name} {batch.shape}"
            raise ModelError(f"{self._name} failed on a batch of {batch_type}: {_one_line(error)}") from None
        return {port.name: result for port, result in zip(self.outputs, results, strict=True)}

    def close(self) -> None:
        """Frees the model. Idempotent."""
        self._engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _create_best_engine(checked: CheckedModel, options: ProviderOptions) -> tuple[Engine, Provider, list[str]]:
    """Returns the first engine that works, its provider, and why better providers were skipped."""
    skipped = []
    for provider in AUTO_ORDER:
        if provider is Provider.CUDA and (reason := missing_driver()) is not None:
            skipped.append(f"no cuda: {reason}")  # known without loading a library
            continue
        try:
            engine = _create_checked(checked, provider, options)
        except (ProviderMissing, ModelError, UsageError) as error:
            if provider is AUTO_ORDER[-1]:
                raise
            skipped.append(f"no {provider.short}: {error.reason if isinstance(error, ProviderMissing) else error}")
        else:
            return engine, provider, skipped
    raise AssertionError("the last provider returns or raises")


def _create_checked(checked: CheckedModel, provider: Provider, options: ProviderOptions) -> Engine:
    try:
        return create_engine(checked, provider, options)
    except (HardwareError, UsageError):
        raise
    except ModelError as error:
        raise ModelError(f"{checked.name}: {error}") from None
    except Exception as error:
        hint = "export it again for this version of onnxruntime, or update onnxruntime"
        raise ModelError(f"{checked.name} cannot be loaded: {_one_line(error)}; {hint}") from None


def _one_line(error: Exception) -> str:
    """Returns an error message of the runtime without its prefix and line breaks."""
    words = _OPENVINO.sub("", _SOURCE_LINE.sub("", _PREFIX.sub("", " ".join(str(error).split()))))
    return redact(words)

"""A model loaded into a runtime, on the hardware that was asked for."""

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

# Code and name of the error class, then where in its sources the runtime noticed: file, line and function.
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_PLACE = re.compile(r"/?\S*\.(?:cc|cpp|h|hpp|cu):\d+ .*?\)(?: const)? (?=\S)")
_OPENVINO = re.compile(r"(?:Exception from|Check '.*?' failed at) \S+:\d+: *")


class Session:
    """Runs one model. May be called from one thread at a time; the caller's arrays are only read.

    Args:
        model: an ONNX file, or its content.
        provider: ``auto``, ``cuda``, ``tensorrt``, ``openvino`` or ``cpu``. By name, that one or an error.
        precision: ``auto``, ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        threads: for inference on the CPU; 0 is all processors for a heavy network, all but one for others.
        options: the rest of what providers are told; its precision and threads are not looked at.

    Attributes:
        provider: what really runs the model.
        precision: what it computes in.
        explain: one line about why, for people.
        input: the model's only input.
        outputs: of the model, in the graph's order.

    Raises:
        ModelError: the file cannot be read, is not a model, or is one that cannot be run here.
        HardwareError: a provider asked for by name is not available.
        UsageError: an unknown name, or a precision the provider or the model does not have.
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
        wanted = parse_provider(provider)
        arithmetic = parse_precision(precision)
        network, threads = read_checked_model(model, threads)
        options = replace(options or ProviderOptions(), precision=arithmetic, threads=threads)
        self._name = network.name
        self._engine: Engine | None
        if wanted is None:
            self._engine, chosen, passed_over = _create_best(network, options)
        else:
            self._engine, chosen, passed_over = _create(network, wanted, options), wanted, []
        self.provider, self.precision = chosen.short, self._engine.precision
        why = "the best that works here" if wanted is None else "as asked for"
        self.explain = "; ".join([f"{self.provider} in {self.precision}, {why}", *self._engine.notes])
        self.explain += f" ({'; '.join(passed_over)})" if passed_over else ""
        if len(self._engine.inputs) != 1:
            names = ", ".join(port.name for port in self._engine.inputs)
            raise ModelError(
                f"{self._name} has {len(self._engine.inputs)} inputs ({names}); a detector here takes one, the image"
            )
        self.input = self._engine.inputs[0]
        self.outputs = self._engine.outputs

    def run(self, batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs the model.

        Args:
            batch: as `input` says; C-contiguous, else it is copied. It may be changed as soon as this returns.

        Returns:
            Name -> new array that belongs to the caller.

        Raises:
            ModelError: the batch does not fit the model, or the model failed on it.
        """
        if self._engine is None:
            raise RuntimeError("this session is closed")
        try:
            results = self._engine.run(batch)
        except Exception as error:
            what = f"{batch.dtype.name} {batch.shape}"
            raise ModelError(f"{self._name} failed on a batch of {what}: {_one_line(error)}") from None
        return {port.name: result for port, result in zip(self.outputs, results, strict=True)}

    def close(self) -> None:
        """Frees the model; may be called twice."""
        self._engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _create_best(network: CheckedModel, options: ProviderOptions) -> tuple[Engine, Provider, list[str]]:
    """Returns the first that works, what it runs on, and why better ones were passed over."""
    passed_over = []
    for provider in AUTO_ORDER:
        if provider is Provider.CUDA and (reason := missing_driver()) is not None:
            passed_over.append(f"no cuda: {reason}")  # known without loading anything
            continue
        try:
            engine = _create(network, provider, options)
        except (ProviderMissing, ModelError, UsageError) as error:
            if provider is AUTO_ORDER[-1]:
                raise
            passed_over.append(f"no {provider.short}: {error.reason if isinstance(error, ProviderMissing) else error}")
        else:
            return engine, provider, passed_over
    raise AssertionError("the last provider returns or raises")


def _create(network: CheckedModel, provider: Provider, options: ProviderOptions) -> Engine:
    try:
        return create_engine(network, provider, options)
    except (HardwareError, UsageError):
        raise
    except ModelError as error:
        raise ModelError(f"{network.name}: {error}") from None
    except Exception as error:
        hint = "export it again for this version of onnxruntime, or update onnxruntime"
        raise ModelError(f"{network.name} cannot be loaded: {_one_line(error)}; {hint}") from None


def _one_line(error: Exception) -> str:
    """Returns the runtime's message without its prefix and line breaks."""
    words = _OPENVINO.sub("", _PLACE.sub("", _PREFIX.sub("", " ".join(str(error).split()))))
    return redact(words)

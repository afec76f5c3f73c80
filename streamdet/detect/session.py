"""A model loaded into ONNX Runtime, on the hardware that was asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamdet.detect.providers import (
    AUTO_ORDER,
    Options,
    Precision,
    Provider,
    ProviderMissing,
    create,
    default_threads,
    missing_driver,
    parse_provider,
)
from streamdet.errors import HardwareError, ModelError, UsageError
from streamdet.models.load import ModelFile, operator_types, parse_bytes, read_model
from streamdet.models.signature import Port
from streamdet.redact import redact

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


# Code and name of the error class, then where in its sources the runtime noticed: file, line and function.
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_PLACE = re.compile(r"/?\S*\.(?:cc|cpp|h|hpp|cu):\d+ .*?\)(?: const)? (?=\S)")


class Session:
    """Runs one model. May be called from one thread at a time; the caller's arrays are only read.

    Args:
        model: an ONNX file, or its content.
        provider: ``auto``, ``cuda``, ``tensorrt``, ``openvino`` or ``cpu``. By name, that one or an error.
        precision: ``auto``, ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        threads: for inference on the CPU; 0 is all processors but one.
        device_id: number of the GPU.

    Attributes:
        provider: what really runs the model.
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
        device_id: int = 0,
    ) -> None:
        wanted = parse_provider(provider)
        data, self._name = read_model(model)
        operators = operator_types(parse_bytes(data, self._name))
        options = Options(_parse_precision(precision, operators, self._name), threads or default_threads(), device_id)
        self._session: Any = None
        if wanted is None:
            self._session, self.provider, self.explain = self._create_best(data, options)
        else:
            self._session = self._create(data, wanted, options)
            self.provider, self.explain = wanted.short, f"{wanted.short}, as asked for"
        inputs = [_info(tensor, self._name) for tensor in self._session.get_inputs()]
        if len(inputs) != 1:
            names = ", ".join(tensor.name for tensor in inputs)
            raise ModelError(f"{self._name} has {len(inputs)} inputs ({names}); a detector here takes one, the image")
        self.input = inputs[0]
        self.outputs = tuple(_info(tensor, self._name) for tensor in self._session.get_outputs())

    def run(self, batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs the model.

        Args:
            batch: as `input` says; C-contiguous, else it is copied. It may be changed as soon as this returns.

        Returns:
            Name -> new array that belongs to the caller.

        Raises:
            ModelError: the batch does not fit the model, or the model failed on it.
        """
        if self._session is None:
            raise RuntimeError("this session is closed")
        try:
            results = self._session.run(None, {self.input.name: batch})
        except Exception as error:
            what = f"{batch.dtype.name} {batch.shape}"
            raise ModelError(f"{self._name} failed on a batch of {what}: {_one_line(error)}") from None
        return {info.name: result for info, result in zip(self.outputs, results, strict=True)}

    def close(self) -> None:
        """Frees the model; may be called twice."""
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create_best(self, data: bytes, options: Options) -> tuple[Any, str, str]:
        passed_over = []
        for provider in AUTO_ORDER:
            if provider is Provider.CUDA and (reason := missing_driver()) is not None:
                passed_over.append(f"no cuda: {reason}")  # known without loading anything
                continue
            try:
                session = self._create(data, provider, options)
            except (ProviderMissing, ModelError, UsageError) as error:
                if provider is AUTO_ORDER[-1]:
                    raise
                passed_over.append(
                    f"no {provider.short}: {error.reason if isinstance(error, ProviderMissing) else error}"
                )
            else:
                why = f" ({'; '.join(passed_over)})" if passed_over else ""
                return session, provider.short, f"{provider.short}, the best that works here{why}"
        raise AssertionError("the last provider returns or raises")

    def _create(self, data: bytes, provider: Provider, options: Options) -> Any:
        try:
            return create(data, provider, options)
        except (HardwareError, UsageError):
            raise
        except Exception as error:
            hint = "export it again for this version of onnxruntime, or update onnxruntime"
            raise ModelError(f"{self._name} cannot be loaded: {_one_line(error)}; {hint}") from None


def _parse_precision(name: str, operators: set[str], model: str) -> Precision:
    try:
        precision = Precision(name)
    except ValueError:
        known = ", ".join(p.value for p in Precision)
        raise UsageError(f"unknown precision {name!r}; choose one of {known}") from None
    quantized = any("QuantizeLinear" in operator or operator.startswith("QLinear") for operator in operators)
    if precision is Precision.INT8 and not quantized:
        raise UsageError(
            f"{model} is not quantised, so it cannot run in int8: give one that is, or leave the precision on auto"
        )
    return precision


def _info(tensor: Any, model: str) -> Port:
    if tensor.type not in _DTYPES:
        raise ModelError(f"{model}: {tensor.name} is a {tensor.type}, which is not supported")
    return Port(tensor.name, tuple(tensor.shape), np.dtype(_DTYPES[tensor.type]))


def _one_line(error: Exception) -> str:
    """Returns the runtime's message without its prefix and line breaks."""
    return redact(_PLACE.sub("", _PREFIX.sub("", " ".join(str(error).split()))))

"""OpenVINO's precision and properties, the same for its plug-in and its own runtime."""

from __future__ import annotations

from collections.abc import Iterable

from streamdet.cache import private_dir
from streamdet.errors import UsageError
from streamdet.inference.providers.names import Precision
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

_HINTS = {Precision.FP32: "f32", Precision.FP16: "f16", Precision.BF16: "bf16"}
_MIN_CACHED_BYTES = 8 << 20
"""Minimum size of a model whose compiled form is cached. The flagship is then ready after 0.5 s instead of 1.3 s;
YOLOX-nano (4 MB) would gain 0.15 s."""


def choose_precision(
    model: CheckedModel, options: ProviderOptions, capabilities: Iterable[str]
) -> tuple[Precision, tuple[str, ...]]:
    """Returns the precision of everything that is not quantized, and a note if it was not requested.

    Args:
        model: the model to run.
        options: the requested options.
        capabilities: capabilities of the CPU as OpenVINO lists them, for instance "BF16". OpenVINO silently replaces a
            precision that is missing there.

    Raises:
        UsageError: the CPU does not have the requested precision.
    """
    supported = set(capabilities)
    if options.precision in (Precision.FP16, Precision.BF16) and options.precision.name not in supported:
        has = ", ".join(precision.value for precision in Precision if precision.name in supported)
        raise UsageError(
            f"this processor cannot compute in {options.precision.value} (OpenVINO reports {has}); "
            "leave the precision on auto"
        )
    if options.precision in _HINTS:
        return options.precision, ()
    if "BF16" not in supported:
        return Precision.FP32, ()
    note = "this processor has instructions for it, --precision fp32 for full precision"
    return Precision.BF16, () if model.weights is Precision.INT8 else (note,)


def properties(model: CheckedModel, options: ProviderOptions, precision: Precision) -> dict[str, str | int]:
    """Returns OpenVINO's properties, which the plug-in also accepts (its `load_config`).

    There is one stream, since one batch runs at a time. Threads are not pinned, since other threads decode and draw.
    """
    chosen: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": options.threads,
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "ENABLE_CPU_PINNING": False,
    }
    if len(model.binary or model.data) > _MIN_CACHED_BYTES and (cache := private_dir("openvino")) is not None:
        chosen["CACHE_DIR"] = str(cache)
    return chosen


def precision_label(model: CheckedModel, precision: Precision) -> str:
    """Returns the precision as shown to the user."""
    return "int8" if model.weights is Precision.INT8 else precision.value

"""What OpenVINO is asked for: the arithmetic and the properties, the same for its plug-in and its own runtime."""

from __future__ import annotations

from collections.abc import Iterable

from streamdet.cache import private_dir
from streamdet.errors import UsageError
from streamdet.inference.providers.names import Precision
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

_HINTS = {Precision.FP32: "f32", Precision.FP16: "f16", Precision.BF16: "bf16"}
_WORTH_KEEPING = 8 << 20
"""Bytes of a model from which on its compiled form is kept. The flagship is then ready after 0.5 s instead of 1.3;
YOLOX-nano (4 MB) would gain 0.15 s."""


def choose_precision(
    network: CheckedModel, options: ProviderOptions, capabilities: Iterable[str]
) -> tuple[Precision, tuple[str, ...]]:
    """Returns what everything that is not quantised is computed in, and a note where that was not asked for.

    Args:
        network: what to run.
        options: what was asked for.
        capabilities: what OpenVINO says the processor has, as in "BF16". A precision that is missing there would be
            computed in another one without a word.

    Raises:
        UsageError: the processor has no such arithmetic.
    """
    can = set(capabilities)
    if options.precision in (Precision.FP16, Precision.BF16) and options.precision.name not in can:
        has = ", ".join(precision.value for precision in Precision if precision.name in can)
        raise UsageError(
            f"this processor cannot compute in {options.precision.value} (OpenVINO says it can do {has}); "
            "leave the precision on auto"
        )
    if options.precision in _HINTS:
        return options.precision, ()
    if "BF16" not in can:
        return Precision.FP32, ()
    note = "this processor has instructions for it, --precision fp32 for full precision"
    return Precision.BF16, () if network.weights is Precision.INT8 else (note,)


def properties(network: CheckedModel, options: ProviderOptions, precision: Precision) -> dict[str, str | int]:
    """Returns OpenVINO's properties, which the plug-in takes as well (its `load_config`).

    One stream, since one batch runs at a time. Threads are not pinned to processors: others have to decode and draw.
    """
    chosen: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": options.threads,
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "ENABLE_CPU_PINNING": False,
    }
    if len(network.binary or network.data) > _WORTH_KEEPING and (cache := private_dir("openvino")) is not None:
        chosen["CACHE_DIR"] = str(cache)
    return chosen


def precision_label(network: CheckedModel, precision: Precision) -> str:
    """Returns the arithmetic for people."""
    return "int8" if network.weights is Precision.INT8 else precision.value

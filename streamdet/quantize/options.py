"""Options of quantization."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from streamdet.errors import UsageError


class CalibrationMethod(Enum):
    """How the observed values of a tensor become its scale and zero point.

    MINMAX: covers every value. PERCENTILE: leaves out one value in 100,000, half of them at each end. MSE: minimizes
    the mean square error *after* the operator that reads the tensor. Where that is a sigmoid or a SiLU, no steps are
    spent on values that it maps to nearly the same.
    """

    MINMAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """Options of quantization.

    Attributes:
        max_loss: largest accuracy loss, in the unit of the measure (0.01 is 0.01 of AP, or of agreement).
        check_accuracy: measure accuracy and keep layers in float until the loss is within `max_loss`; False quantizes
            all layers without a check.
        method: how ranges are chosen.
        per_channel: one weight scale per output channel.
        symmetric: zero point of activations at the middle of the range; some accelerators require it, the CPU does not.
        reduce_range: 7 bits for weights, for processors without VNNI instructions, whose 16-bit sums would overflow.
        bias_correction: correct the bias for the mean shift that rounding the weights causes.
        min_share: smallest share of multiply-adds in INT8, in [0, 1]; less is an error.
        exclude: names of layers that always stay in float.
        keep_start_float: keep the first layers in float where INT8 is no faster on a CPU: large inputs with few
            channels, each followed by a SiLU. Where that would be all layers, none is kept.
        fuse_silu: write a SiLU as ONNX Runtime's own operator (com.microsoft.QuickGelu), which is faster; False for
            runtimes that support standard operators only.
        validation_share: share of the images that decide which layers stay in float; they calibrate only after that.
    """

    max_loss: float = 0.01
    check_accuracy: bool = True
    method: CalibrationMethod = CalibrationMethod.MSE
    per_channel: bool = True
    symmetric: bool = False
    reduce_range: bool = False
    bias_correction: bool = True
    min_share: float = 0.0
    exclude: tuple[str, ...] = ()
    keep_start_float: bool = True
    fuse_silu: bool = True
    validation_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss < 1:
            raise UsageError(f"max_loss must be at least 0 and less than 1, got {self.max_loss}")
        if not 0 <= self.min_share <= 1:
            raise UsageError(f"min_share must be from 0 to 1, got {self.min_share}")
        if not 0 < self.validation_share < 1:
            raise UsageError(f"validation_share must be between 0 and 1, got {self.validation_share}")

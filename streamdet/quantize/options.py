"""What may be chosen about quantising."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from streamdet.errors import UsageError


class Method(Enum):
    """How the range of a tensor becomes the 256 values of its grid.

    MINMAX: everything seen fits. PERCENTILE: all but one value in 100,000, half of them at each end. MSE: the range
    with the smallest mean square error *behind* what reads the tensor: where that is a sigmoid or a SiLU, steps are
    not spent on values that it maps to nearly the same.
    """

    MINMAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """What may be chosen about quantising.

    Attributes:
        max_loss: accuracy that may be lost, in the unit of the measure (0.01 is a hundredth of AP, or of agreement).
        guard: measure, and leave layers in float until `max_loss` is kept; False quantises everything, come what may.
        method: how ranges are chosen.
        per_channel: each output channel of a layer has a scale of its own for its weights.
        symmetric: activations' zero is the middle of the grid; some accelerators want it, the CPU does not.
        reduce_range: 7 bits for weights, for processors without VNNI instructions, whose 16-bit sums would overflow.
        correct_bias: undo the mean shift that rounding the weights causes.
        min_share: refuse a result with a smaller share of its multiply-adds in INT8, in [0, 1].
        exclude: names of layers to leave in float in any case.
        spare_start: leave the first layers in float too, where INT8 is no faster on a CPU: large pictures of few
            channels, with a SiLU behind each. Where that would be all layers, none is spared.
        fuse_silu: write a SiLU as ONNX Runtime's own operator (com.microsoft.QuickGelu), which is faster; False for
            runtimes that know standard operators only.
        decide_share: share of the images that decide which layers stay in float; they calibrate only after that.
    """

    max_loss: float = 0.01
    guard: bool = True
    method: Method = Method.MSE
    per_channel: bool = True
    symmetric: bool = False
    reduce_range: bool = False
    correct_bias: bool = True
    min_share: float = 0.0
    exclude: tuple[str, ...] = ()
    spare_start: bool = True
    fuse_silu: bool = True
    decide_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss < 1:
            raise UsageError(f"max_loss must be at least 0 and less than 1, got {self.max_loss}")
        if not 0 <= self.min_share <= 1:
            raise UsageError(f"min_share must be from 0 to 1, got {self.min_share}")
        if not 0 < self.decide_share < 1:
            raise UsageError(f"decide_share must lie between 0 and 1, got {self.decide_share}")

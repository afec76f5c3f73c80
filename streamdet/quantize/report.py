"""The report of a quantization, printed and stored in the model's metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

METADATA_KEY = "streamdet.quantized"
"""Metadata key under which a quantized file stores its report, as JSON."""

_RENAMED = {"calibrated_on": "calibration_images", "decided_on": "validation_images", "spared": "float_start"}
"""Fields of reports in files of earlier versions."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer.

    Attributes:
        name: of the node.
        operator: its type.
        macs_share: share of all multiply-adds, in [0, 1].
        sensitivity: loss with this layer alone quantized, see `agreement.weighted_dice`; None where not measured.
        int8: False where the layer stayed in float.
    """

    name: str
    operator: str
    macs_share: float
    sensitivity: float | None
    int8: bool


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """A quantization and its accuracy.

    Attributes:
        measure: of accuracy, in words.
        float_score: of the float model.
        int8_score: of the quantized model.
        agreement: with the float model's detections, 1 where they are equal; None where the model detects nothing to
            compare.
        max_loss: largest loss allowed.
        method: how ranges were chosen.
        per_channel: weights have one scale per output channel.
        calibration_images: number of images that calibrated.
        validation_images: number of images that agreement was measured on; the layers were chosen before these
            calibrated too.
        layers: in the graph's order.
        float_start: number of first layers in float because INT8 is no faster there.
    """

    measure: str
    float_score: float
    int8_score: float
    agreement: float | None
    max_loss: float
    method: str
    per_channel: bool
    calibration_images: int
    validation_images: int
    layers: tuple[LayerReport, ...]
    float_start: int = 0

    @property
    def loss(self) -> float:
        """Loss in the measure; negative where the quantized model is better."""
        return self.float_score - self.int8_score

    @property
    def int8_share(self) -> float:
        """Share of multiply-adds in integers."""
        return sum(layer.macs_share for layer in self.layers if layer.int8)

    @property
    def in_float(self) -> tuple[str, ...]:
        """Names of the layers that stayed in float."""
        return tuple(layer.name for layer in self.layers if not layer.int8)

    def to_json(self) -> str:
        """Returns the report as JSON."""
        return json.dumps(asdict(self) | {"loss": self.loss, "int8_share": self.int8_share})

    @classmethod
    def from_json(cls, text: str) -> QuantizeReport:
        """Reads a report that `to_json` wrote, in this version or an earlier one.

        Raises:
            ValueError: the text is not such a report.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(_with_current_names(text))

    def text(self, every_layer: bool = False) -> str:
        """Returns the report in words.

        Args:
            every_layer: list all layers, not only those that stayed in float for accuracy.
        """
        count = sum(layer.int8 for layer in self.layers)
        lines = [
            f"{count} of {len(self.layers)} layers in INT8, {self.int8_share:.1%} of the multiply-adds",
            f"{self.measure}: {self.float_score:.4f} in float, {self.int8_score:.4f} in INT8, "
            f"loss {round(self.loss, 4) + 0.0:.4f} (at most {self.max_loss:g})",
        ]
        if self.agreement not in (None, self.int8_score):
            lines.append(f"agreement with the float model's detections: {self.agreement:.4f}")
        weights = "per channel" if self.per_channel else "per tensor"
        lines.append(
            f"ranges by {self.method}, weights {weights}; "
            f"calibrated on {self.calibration_images} photos, validated on {self.validation_images}"
        )
        if self.float_start:
            lines.append(f"the first {self.float_start} layers stay in float: INT8 is no faster there")
        listed = self.layers if every_layer else [layer for layer in self.layers[self.float_start :] if not layer.int8]
        if listed:
            width = max(len(layer.name) for layer in listed)
            lines.append(f"{'layer':{width}}  {'share':>6}  {'alone loses':>11}")
            for layer in listed:
                loss = "-" if layer.sensitivity is None else f"{layer.sensitivity:.5f}"
                precision = "int8" if layer.int8 else "float"
                lines.append(f"{layer.name:{width}}  {layer.macs_share:6.1%}  {loss:>11}  {precision}")
        return "\n".join(lines)


def _with_current_names(text: str) -> str:
    """Returns a report's JSON with the fields of earlier versions renamed; any other text unchanged."""
    try:
        report: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(report, dict):
        return text
    return json.dumps({_RENAMED.get(key, key): value for key, value in report.items()})

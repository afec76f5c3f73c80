"""What quantising did to a model, for people and for the model's own metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

METADATA_KEY = "streamdet.quantized"
"""Metadata key under which a quantised file keeps its report, as JSON."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What became of one layer.

    Attributes:
        name: of the node.
        operator: its type.
        macs_share: of all multiply-adds, in [0, 1].
        sensitivity: what is lost when this layer alone is quantised, see `agreement.closeness`; None where it was not
            measured.
        int8: False where it stayed in float.
    """

    name: str
    operator: str
    macs_share: float
    sensitivity: float | None
    int8: bool


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What quantising did to a model.

    Attributes:
        measure: what accuracy is measured by, in words.
        float_score: of the float model.
        int8_score: of the result.
        agreement: of the result with the float model's detections, 1 where they are the same; None where the model
            detects nothing that could be compared.
        max_loss: what could be lost at most.
        method: how ranges were chosen.
        per_channel: weights have a scale for each channel.
        calibrated_on: images that ranges come from.
        decided_on: images that agreement was measured on; the choice of layers was made before they calibrated too.
        layers: in the graph's order.
        spared: how many of the first are in float because INT8 is no faster there.
    """

    measure: str
    float_score: float
    int8_score: float
    agreement: float | None
    max_loss: float
    method: str
    per_channel: bool
    calibrated_on: int
    decided_on: int
    layers: tuple[LayerReport, ...]
    spared: int = 0

    @property
    def loss(self) -> float:
        """Returns what was lost in the measure; negative where the result is better."""
        return self.float_score - self.int8_score

    @property
    def int8_share(self) -> float:
        """Returns the share of multiply-adds that are in integers."""
        return sum(layer.macs_share for layer in self.layers if layer.int8)

    @property
    def in_float(self) -> tuple[str, ...]:
        """Returns the names of the layers left in float."""
        return tuple(layer.name for layer in self.layers if not layer.int8)

    def to_json(self) -> str:
        """Returns everything as JSON."""
        return json.dumps(asdict(self) | {"loss": self.loss, "int8_share": self.int8_share})

    @classmethod
    def from_json(cls, text: str) -> QuantizeReport:
        """Returns what `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(text)

    def text(self, every_layer: bool = False) -> str:
        """Returns the report for people.

        Args:
            every_layer: list all layers, not only those left in float for accuracy's sake.
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
            f"calibrated on {self.calibrated_on} photos, decided on {self.decided_on}"
        )
        if self.spared:
            lines.append(f"the first {self.spared} layers stay in float: INT8 is no faster there")
        listed = self.layers if every_layer else [layer for layer in self.layers[self.spared :] if not layer.int8]
        if listed:
            width = max(len(layer.name) for layer in listed)
            lines.append(f"{'layer':{width}}  {'share':>6}  {'alone loses':>11}")
            for layer in listed:
                lost = "-" if layer.sensitivity is None else f"{layer.sensitivity:.5f}"
                where = "int8" if layer.int8 else "float"
                lines.append(f"{layer.name:{width}}  {layer.macs_share:6.1%}  {lost:>11}  {where}")
        return "\n".join(lines)

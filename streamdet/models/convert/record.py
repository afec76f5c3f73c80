"""What a converted file says of itself: how it is fed, where it comes from, and what was proven."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import onnx

from streamdet.models.convert.options import ConvertOptions
from streamdet.models.convert.proof import Proof
from streamdet.models.description import SPEC_KEY, metadata_text
from streamdet.models.load import ModelFile
from streamdet.models.made_from import ACCURACY_KEY, CONVERTED_KEY, read_made_from
from streamdet.models.spec import ModelSpec


def record(
    file: ModelFile,
    source: onnx.ModelProto,
    spec: ModelSpec,
    options: ConvertOptions,
    proof: Proof,
    notes: Sequence[str],
    report: Mapping[str, str],
    accuracy: str,
) -> dict[str, str]:
    """Returns the metadata of a converted model: its source's own, and what was done.

    Args:
        file: the source.
        source: the same, parsed.
        spec: of the result.
        options: of the conversion.
        proof: that was made.
        notes: what else was found.
        report: the quantiser's own metadata; empty where there was none.
        accuracy: what to know of the result's accuracy; "" where it is the source's.
    """
    import streamdet

    before = {entry.key: entry.value for entry in source.metadata_props}
    done: dict[str, Any] = {
        "from": os.path.basename(file.name),
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "options": options.as_text(),
        "streamdet": streamdet.__version__,
        "proof": proof.as_dict(),
        "notes": list(notes),
    }
    if (earlier := before.pop(CONVERTED_KEY, "")) and (origin := read_made_from(earlier)) is not None:
        done["before"] = {"from": origin.source, "sha256": origin.sha256, "options": origin.options}
    properties = {**before, **report, SPEC_KEY: metadata_text(spec), CONVERTED_KEY: json.dumps(done)}
    if accuracy:
        properties[ACCURACY_KEY] = accuracy
    return properties

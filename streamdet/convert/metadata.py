"""What a converted file says of itself: how it is fed, where it comes from, and what was proven."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from streamdet.convert.artifacts import DraftModel, SourceModel
from streamdet.convert.options import ConvertOptions
from streamdet.convert.proof import Proof
from streamdet.model_spec.signature import fixed_size
from streamdet.models.description import SPEC_KEY, metadata_text
from streamdet.models.onnx_file import onnx_signature
from streamdet.models.provenance import ACCURACY_KEY, CONVERTED_KEY, read_provenance


def conversion_metadata(
    source: SourceModel, made: DraftModel, options: ConvertOptions, proof: Proof, notes: Sequence[str]
) -> dict[str, str]:
    """Returns the metadata of a converted model: its source's own, and what was done.

    Args:
        source: what it was made from.
        made: the new graph.
        options: of the conversion.
        proof: that was made.
        notes: what else was found.
    """
    import streamdet

    before = {entry.key: entry.value for entry in source.model.metadata_props}
    done: dict[str, Any] = {
        "from": os.path.basename(source.file.name),
        "sha256": hashlib.sha256(source.file.data).hexdigest(),
        "options": options.as_text(),
        "streamdet": streamdet.__version__,
        "proof": proof.as_dict(),
        "notes": list(notes),
    }
    if (earlier := before.pop(CONVERTED_KEY, "")) and (origin := read_provenance(earlier)) is not None:
        done["before"] = {"from": origin.source, "sha256": origin.sha256, "options": origin.options}
    open_size = any(not fixed_size(d) for d in onnx_signature(made.model).inputs[0].shape[1:])
    described = {SPEC_KEY: metadata_text(made.spec, open_size), CONVERTED_KEY: json.dumps(done)}
    properties = {**before, **made.report, **described}
    if made.accuracy:
        properties[ACCURACY_KEY] = made.accuracy
    return properties

"""Metadata of a converted file: its spec, its source, and the verification."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from streamdet.convert.artifacts import DraftModel, SourceModel
from streamdet.convert.options import ConvertOptions
from streamdet.convert.verification import Verification
from streamdet.model_spec.signature import fixed_size
from streamdet.models.description import SPEC_KEY, metadata_text
from streamdet.models.onnx_file import onnx_signature
from streamdet.models.provenance import ACCURACY_KEY, CONVERTED_KEY, read_provenance


def conversion_metadata(
    source: SourceModel,
    draft: DraftModel,
    options: ConvertOptions,
    verification: Verification,
    notes: Sequence[str],
) -> dict[str, str]:
    """Returns the metadata of a converted model: that of its source, and a record of the conversion.

    Args:
        source: of the conversion.
        draft: the new graph.
        options: of the conversion.
        verification: of the new graph.
        notes: for the user.
    """
    from streamdet.version import __version__

    inherited = {entry.key: entry.value for entry in source.model.metadata_props}
    conversion: dict[str, Any] = {
        "from": os.path.basename(source.file.name),
        "sha256": hashlib.sha256(source.file.data).hexdigest(),
        "options": options.as_text(),
        "streamdet": __version__,
        "verification": verification.as_dict(),
        "notes": list(notes),
    }
    if (earlier := inherited.pop(CONVERTED_KEY, "")) and (origin := read_provenance(earlier)) is not None:
        conversion["earlier_conversion"] = {"from": origin.source, "sha256": origin.sha256, "options": origin.options}
    open_size = any(not fixed_size(d) for d in onnx_signature(draft.model).inputs[0].shape[1:])
    own = {SPEC_KEY: metadata_text(draft.spec, open_size), CONVERTED_KEY: json.dumps(conversion)}
    metadata = {**inherited, **draft.quantizer_metadata, **own}
    if draft.accuracy:
        metadata[ACCURACY_KEY] = draft.accuracy
    return metadata

"""The message that explains the delay of a first run."""

from __future__ import annotations

import sys


def announce_compilation(quiet: bool = False) -> None:
    """Prints on stderr that the kernels are being compiled, unless the cache has them already."""
    from streamdet.kernels import compiled_before

    if not quiet and not compiled_before():
        print("streamdet: first run: compiling the kernels; this takes about 30 s, once", file=sys.stderr)

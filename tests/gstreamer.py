"""GStreamer's RTSP server, from Debian packages. The fixtures `server_script` and `port` belong to it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = "/usr/bin/python3"  # Debian's own: gi is a system package


@contextmanager
def serving(script: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [PYTHON, str(script), "--port", str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().strip() == "ready"
            yield server
        finally:
            server.kill()

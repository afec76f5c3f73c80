"""GStreamer's RTSP server from Debian packages, used with the fixtures `server_script` and `port`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = "/usr/bin/python3"  # the system's Python: gi is a Debian package


@contextmanager
def serving(script: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs the server and yields its process."""
    command = [PYTHON, str(script), "--port", str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().strip() == "ready"
            yield server
        finally:
            server.kill()

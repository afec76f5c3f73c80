"""The origin of a model file: its download URLs, size, digests and license."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one model file is available, and its expected size and digests.

    Attributes:
        name: name of the model in messages.
        urls: mirrors, best first; http or https.
        size_bytes: exact size of the file, 0 if unknown.
        sha256: hex digest or "".
        sha384: hex digest or "".
        licence: SPDX identifier or a sentence.
        about: one-line description.
        typed_name: what the user types for it if that is not its name: the path of its description.
    """

    name: str
    urls: tuple[str, ...] = ()
    size_bytes: int = 0
    sha256: str = ""
    sha384: str = ""
    licence: str = ""
    about: str = ""
    typed_name: str = ""

    @property
    def argument(self) -> str:
        """The model as a command-line argument."""
        return shlex.quote(self.typed_name or self.name)

    @property
    def digests(self) -> dict[str, str]:
        """The known digests in lower-case hex, by hashlib's algorithm name, strongest first."""
        known = {"sha384": self.sha384, "sha256": self.sha256}
        return {algorithm: digest.lower() for algorithm, digest in known.items() if digest}

    @property
    def facts(self) -> str:
        """Size and digests for a message, enough to check a file by hand."""
        size = [f"{self.size_bytes} bytes"] if self.size_bytes else []
        hashes = [f"SHA-{name.removeprefix('sha')} {digest}" for name, digest in self.digests.items()]
        return ", ".join([*size, *hashes]) or "no digest is known"


def check_url(url: str) -> None:
    """Checks that a URL is a valid http or https address.

    Raises:
        ValueError: another scheme, no host, an invalid port, or spaces or control characters.

    >>> check_url("https://example.org/net.onnx")
    """
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise ValueError("give addresses that start with https:// or http:// and contain no spaces")


def format_bytes(size: int) -> str:
    """Returns a size in readable units.

    >>> format_bytes(80_363_696), format_bytes(12)
    ('80.4 MB', '12 bytes')
    """
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"

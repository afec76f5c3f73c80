"""Where a file of weights can be had, and how it is known to be the right one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Origin:
    """What one file should be, and where it can be had.

    Attributes:
        name: of the model, for people.
        urls: mirrors, best first; http or https.
        size_bytes: exact size of the file, 0 where not known.
        sha256: hex digest or "".
        sha384: hex digest or "".
        licence: SPDX identifier or a sentence.
        about: one line for people.
        typed_name: what a user types for it where that is not its name: the path of its description.
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
        """What names the model on a command line."""
        return shlex.quote(self.typed_name or self.name)

    @property
    def digests(self) -> dict[str, str]:
        """The known digests in lower-case hex by hashlib's name of the algorithm, the strongest first."""
        known = {"sha384": self.sha384, "sha256": self.sha256}
        return {algorithm: digest.lower() for algorithm, digest in known.items() if digest}

    @property
    def facts(self) -> str:
        """Size and digests, for people: enough to check a file by hand."""
        size = [f"{self.size_bytes} bytes"] if self.size_bytes else []
        hashes = [f"SHA-{name.removeprefix('sha')} {digest}" for name, digest in self.digests.items()]
        return ", ".join([*size, *hashes]) or "no hash is known"


def check_url(url: str) -> None:
    """Refuses what is no address of a file on a web server.

    Raises:
        ValueError: neither http nor https, no host, an impossible port, or blanks and control characters.

    >>> check_url("https://example.org/net.onnx")
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise ValueError("give addresses that begin with https:// or http:// and hold no blanks")


def format_bytes(size: int) -> str:
    """Returns a size as people read it.

    >>> format_bytes(80_363_696), format_bytes(12)
    ('80.4 MB', '12 bytes')
    """
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"

"""Removes credentials from text that a person or a log can see."""

from __future__ import annotations

import re

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,20}://"  # bounded: a long word is scanned once, not once per letter

# Words in the names of secrets. Many cameras abbreviate: usr, pw, paswd, loginuse, loginpas.
_WORDS = "pas|pw|token|secret|key|auth|cred|sig|session|login|user|usr"

# What precedes a secret: its name, and everything before the name in the same part of the path or query, because some
# cameras have paths like "/user=admin_password=s3cret_channel=1". Userinfo does not match: no slash of "//" starts it.
_NAMED = rf"(?<!:)(?<!:/)[/?&;][^/?&;\s'\"]*?(?:{_WORDS})[\w.-]{{0,32}}(?:=|%3D)"
_SECRET = re.compile(rf"(?P<named>{_NAMED})[^&;\s'\"]*", re.IGNORECASE)
_WHOLE_SECRET = re.compile(rf"(?P<named>{_NAMED})[^&;]*", re.IGNORECASE)  # of a complete address: may have blanks

# An address inside the query of another one: http://proxy/stream?src=rtsp%3A%2F%2Fadmin%3As3cret%40camera
_ENCODED_USERINFO = re.compile(r"%3A%2F%2F[^\s'\"&;]*%40", re.IGNORECASE)

# scheme://user:password@host: a password may contain '@', ':' and '/', so the last '@' of the word ends it.
# An address that was handled as a path has lost one of its slashes.
_USERINFO = re.compile(rf"(?P<scheme>{_SCHEME}|\b(?:rtsps?|rtmps?|https?):/)(?P<userinfo>[^\s'\"<>]*)@(?=[^\s'\"<>@]*)")

# The complete text is one address; "C:\..." is a path.
_ADDRESS = re.compile(rf"\A(?:(?P<scheme>{_SCHEME})|(?![A-Za-z]:\\)[^/]*:).*@", re.DOTALL)

# A URL by the standard's rules: its authority ends at the first '/', '?' or '#'.
_HOST = r"(?:[^\s'\"<>/?#]*@)?(?P<host>\[[^\]\s]*\]|[^\s'\"<>/?#:@]*)"
_URL = re.compile(rf"(?P<scheme>{_SCHEME}){_HOST}(?P<rest>[^\s'\"<>]*)")
_WHOLE_URL = re.compile(rf"\A(?P<scheme>{_SCHEME})?{_HOST}(?P<rest>.*)", re.DOTALL)


def printable(text: str) -> str:
    r"""Returns a text without the characters that control a terminal; names and notes in files may contain them.

    >>> printable("a\x1b[2Jb")
    'a [2Jb'
    """
    return "".join(character if character.isprintable() else " " for character in text)


def redact_address(address: str) -> str:
    """Returns one complete address without its credentials, also if it has blanks or quotes, or no scheme.

    >>> redact_address("rtsp://admin:open sesame@10.0.0.7/ch1"), redact_address("admin:s3cret@10.0.0.7/ch1")
    ('rtsp://***@10.0.0.7/ch1', '***@10.0.0.7/ch1')
    """
    address = _WHOLE_URL.sub(_host_only_if_unclear, address)
    address = _ADDRESS.sub(lambda found: f"{found['scheme'] or ''}***@", address)
    return redact(_WHOLE_SECRET.sub(r"\g<named>***", address))


def redact(text: str) -> str:
    """Returns `text` with the credentials of every URL in it replaced by ``***``.

    >>> redact("cannot open rtsp://admin:s3cr@t@10.0.0.7:554/ch1?token=abc")
    'cannot open rtsp://***@10.0.0.7:554/ch1?token=***'
    >>> redact("rtsp://10.0.0.7/user=admin&password=s3cret&channel=1")
    'rtsp://10.0.0.7/user=***&password=***&channel=1'
    >>> redact("there is no folder rtsp:/admin:s3cret@10.0.0.7")
    'there is no folder rtsp:/***@10.0.0.7'
    """
    text = _URL.sub(_host_only_if_unclear, text)
    text = _USERINFO.sub(r"\g<scheme>***@", text)
    text = _ENCODED_USERINFO.sub("%3A%2F%2F***%40", text)
    return _SECRET.sub(r"\g<named>***", text)


def _host_only_if_unclear(url: re.Match[str]) -> str:
    """Returns a URL unchanged, unless an '@' follows the name of a secret in its path or query.

    That '@' may belong to the secret, so the text after it must not be shown as the host.
    """
    secret = _SECRET.search(url["rest"])
    if secret is None or "@" not in url["rest"][secret.start() :]:
        return url[0]
    return f"{url['scheme'] or ''}{url['host']}/***"

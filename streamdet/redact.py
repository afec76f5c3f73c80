"""Keeps credentials out of everything a person or a log can see."""

from __future__ import annotations

import re

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,20}://"  # bounded: a long word without one is read once, not from each letter

# Words in the names of secrets. Cameras of many makes abbreviate: usr, pw, paswd, loginuse, loginpas.
_WORDS = "pas|pw|token|secret|key|auth|cred|sig|session|login|user|usr"

# What comes before a secret: its name, and in the same part of the path or query whatever stands before that, since
# there are cameras whose path is "/user=admin_password=s3cret_channel=1". Not the userinfo: a "/" of "//" begins none.
_NAMED = rf"(?<!:)(?<!:/)[/?&;][^/?&;\s'\"]*?(?:{_WORDS})[\w.-]{{0,32}}(?:=|%3D)"
_SECRET = re.compile(rf"(?P<named>{_NAMED})[^&;\s'\"]*", re.IGNORECASE)
_WHOLE_SECRET = re.compile(rf"(?P<named>{_NAMED})[^&;]*", re.IGNORECASE)  # of an address alone: blanks belong to it

# An address inside another one's query: http://proxy/stream?src=rtsp%3A%2F%2Fadmin%3As3cret%40camera
_ENCODED_USERINFO = re.compile(r"%3A%2F%2F[^\s'\"&;]*%40", re.IGNORECASE)

# scheme://user:password@host: a password may itself hold '@', ':' and '/', so the last '@' of the word ends it.
# A path that such an address was taken for has lost one of its slashes.
_USERINFO = re.compile(rf"(?P<scheme>{_SCHEME}|\b(?:rtsps?|rtmps?|https?):/)(?P<userinfo>[^\s'\"<>]*)@(?=[^\s'\"<>@]*)")

# The whole text is one address; "C:\..." is a path.
_ADDRESS = re.compile(rf"\A(?:(?P<scheme>{_SCHEME})|(?![A-Za-z]:\\)[^/]*:).*@", re.DOTALL)

# A URL by the standard's rules: its authority ends at the first '/', '?' or '#'.
_HOST = r"(?:[^\s'\"<>/?#]*@)?(?P<host>\[[^\]\s]*\]|[^\s'\"<>/?#:@]*)"
_URL = re.compile(rf"(?P<scheme>{_SCHEME}){_HOST}(?P<rest>[^\s'\"<>]*)")
_WHOLE_URL = re.compile(rf"\A(?P<scheme>{_SCHEME})?{_HOST}(?P<rest>.*)", re.DOTALL)


def redact_address(address: str) -> str:
    """Returns one whole address without its credentials: also those with blanks or quotes, or without a scheme.

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
    """Returns a URL as it is, unless a '@' follows the name of a secret in its path or query.

    That '@' may belong to the secret, so what follows it is not shown as the host.
    """
    secret = _SECRET.search(url["rest"])
    if secret is None or "@" not in url["rest"][secret.start() :]:
        return url[0]
    return f"{url['scheme'] or ''}{url['host']}/***"

"""Keeps credentials out of everything a person or a log can see."""

import re

# scheme://user:password@host: a password may itself hold '@', ':' and '/', so the last '@' of the word ends it.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>[^\s'\"<>]*)@(?=[^\s'\"<>@]*)")
_QUERY_SECRET = re.compile(
    r"(?P<key>[?&;](?:[a-z_-]*(?:pass(?:word|wd)?|pwd|token|secret|key|auth|credential|sig(?:nature)?)[a-z_-]*|user(?:name)?))=[^&;\s'\"]*",
    re.IGNORECASE,
)

# The whole text is one address; "C:\..." is a path.
_ADDRESS = re.compile(r"\A(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)|(?![A-Za-z]:\\)[^/]*:).*@", re.DOTALL)


def redact_address(address: str) -> str:
    """Returns one whole address without its credentials: also those with blanks or quotes, or without a scheme.

    >>> redact_address("rtsp://admin:open sesame@10.0.0.7/ch1"), redact_address("admin:s3cret@10.0.0.7/ch1")
    ('rtsp://***@10.0.0.7/ch1', '***@10.0.0.7/ch1')
    """
    return redact(_ADDRESS.sub(lambda found: f"{found['scheme'] or ''}***@", address))


def redact(text: str) -> str:
    """Returns `text` with the credentials of every URL in it replaced by ``***``.

    >>> redact("cannot open rtsp://admin:s3cr@t@10.0.0.7:554/ch1?token=abc")
    'cannot open rtsp://***@10.0.0.7:554/ch1?token=***'
    """
    text = _USERINFO.sub(r"\g<scheme>***@", text)
    return _QUERY_SECRET.sub(r"\g<key>=***", text)

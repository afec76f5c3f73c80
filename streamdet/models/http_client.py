"""HTTP GET with the standard library; every failure becomes a message, and temporary errors have their own class.

The standard library is enough: no client library handles ranges, mirrors, limits and digests for us, and the rest is
one request. Redirects are followed here, since the library's handler reads their bodies without a limit, passes
credentials on to other hosts, and redirects from https to http.
"""

from __future__ import annotations

import http.client
import platform
import socket
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from streamdet.model_spec.origin import check_url

_CHUNK = 256 * 1024
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEMPORARY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_WAIT_S = 30.0
_UNQUOTED = "%/:=&?~#+!$,;'@()*[]"
"""Characters that are not quoted in addresses, which may be quoted already; other special characters are."""


class MirrorError(Exception):
    """A mirror cannot give the file; the message has no credentials."""


class TemporaryMirrorError(MirrorError):
    """A mirror failed temporarily.

    Attributes:
        after_s: wait that the server requests, 0 if it does not state one.
    """

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class RangeNotSatisfiableError(MirrorError):
    """The requested range is beyond the end of the file."""


@contextmanager
def open_url(url: str, headers: Mapping[str, str], timeout_s: float) -> Iterator[http.client.HTTPResponse]:
    """Requests a file, follows redirects, and yields a response with status 200 or 206.

    Proxies come from the environment (`https_proxy`, `no_proxy`). Certificates are always verified.

    Args:
        url: may contain a user name and a password, which only that host gets.
        headers: additional headers.
        timeout_s: longest wait for a connection, and longest silence after that.

    Raises:
        MirrorError: this server cannot give the file; `TemporaryMirrorError` if a retry may help,
            `RangeNotSatisfiableError` for status 416.
    """
    try:
        check_url(url)
    except ValueError:
        raise MirrorError("its address is neither http nor https") from None
    opener = urllib.request.OpenerDirector()
    secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    for handler in (urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), secure):
        opener.add_handler(handler)
    for _ in range(_MAX_REDIRECTS + 1):
        with _readable_errors():
            response = opener.open(_request(url, headers), timeout=timeout_s)
        with response:
            if response.status not in _REDIRECTS:
                _check(response)
                yield response
                return
            url = _redirected(url, response.headers.get("Location", ""))
    raise MirrorError(f"more than {_MAX_REDIRECTS} redirects")


def read_chunk(response: http.client.HTTPResponse) -> bytes:
    """Returns the next bytes of a body; b"" at its end, or if the connection ended early.

    Raises:
        TemporaryMirrorError: the connection broke, or no data arrived for too long.
    """
    with _readable_errors(connected=True):
        return response.read1(_CHUNK)


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    parts = urlsplit(url)
    user, has_user, _ = parts.netloc.rpartition("@")
    plain = parts._replace(netloc=_host(parts), fragment="").geturl()
    request = urllib.request.Request(quote(plain, safe=_UNQUOTED), headers=dict(headers))
    from streamdet.version import __version__

    request.add_header("User-Agent", f"streamdet/{__version__} Python/{platform.python_version()}")
    if has_user:
        name, _, password = user.partition(":")
        token = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _host(parts: SplitResult) -> str:
    """Returns host and port, without credentials."""
    return parts.netloc.rpartition("@")[2]


def _redirected(url: str, location: str) -> str:
    """Returns the target of a redirect; credentials are kept only for the same server.

    Raises:
        MirrorError: the redirect is invalid or not allowed.
    """
    try:
        target = urljoin(url, quote(location.encode("iso-8859-1"), safe=_UNQUOTED))  # http.client decodes headers so
        check_url(target)
    except ValueError:
        raise MirrorError("it redirects to an address that is not http or https") from None
    old, new = urlsplit(url), urlsplit(target)
    if old.scheme == "https" and new.scheme == "http":
        raise MirrorError("it redirects from https to http, which is not secure")
    if (old.scheme, _host(old)) == (new.scheme, new.netloc):
        new = new._replace(netloc=old.netloc)
    return new.geturl()


def _check(response: http.client.HTTPResponse) -> None:
    status = response.status
    if status in (200, 206):
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.casefold() != "identity":
            raise MirrorError("it sends the file compressed, which was not requested")
        return
    is_known = status in HTTPStatus.__members__.values()
    reason = f"HTTP {status}" + (f" {HTTPStatus(status).phrase}" if is_known else "")  # not the server's own text
    if status == 416:
        raise RangeNotSatisfiableError(reason)
    if status in _TEMPORARY_STATUS:
        after = response.headers.get("Retry-After", "")
        raise TemporaryMirrorError(
            reason, min(float(after), _MAX_WAIT_S) if after.isascii() and after.isdecimal() else 0.0
        )
    raise MirrorError(reason)


@contextmanager
def _readable_errors(connected: bool = False) -> Iterator[None]:
    """Turns exceptions of the library into messages.

    An unreachable server is not retried: another mirror is more likely to help. Once a server has answered, an error
    may be temporary.
    """
    try:
        yield
    except urllib.error.URLError as error:  # while connecting
        raise MirrorError(_unreachable_reason(error.reason)) from None
    except TimeoutError:
        raise TemporaryMirrorError("no data arrived for too long") from None
    except (OSError, http.client.HTTPException) as error:
        reason = "the connection broke" if connected or isinstance(error, OSError) else "its answer is not HTTP"
        raise TemporaryMirrorError(reason) from None
    except ValueError:  # an invalid host name, found only while connecting
        raise MirrorError("its address is invalid") from None


def _unreachable_reason(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({reason.verify_message})"
    if isinstance(reason, ssl.SSLError):
        return "no secure connection with it"
    if isinstance(reason, socket.gaierror):
        return "its name cannot be resolved: no network, or no such host"
    if isinstance(reason, TimeoutError):
        return "no answer"
    if isinstance(reason, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(reason, OSError) and reason.strerror:
        return f"it cannot be reached ({reason.strerror})"
    return "it cannot be reached, directly or through the proxy"

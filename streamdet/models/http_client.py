"""GET over http and https with the standard library; every failure in words, and sorted by whether to try again.

The standard library is enough: what matters here (ranges, mirrors, limits, digests) no client library does for us, and
the rest is one request. Redirects are followed here, since its own handler reads their bodies without a limit, passes
credentials on to other hosts, and goes from https to http.
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
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 30.0
_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"
"""Not quoted in addresses, which may be quoted already; what is not ASCII or not allowed there is."""


class MirrorError(Exception):
    """A server cannot give the file; the message has no credentials."""


class TemporaryMirrorError(MirrorError):
    """A server failed in a way that may pass.

    Attributes:
        after_s: how long it asks to be left alone, 0 where it says nothing.
    """

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class RangeNotSatisfiableError(MirrorError):
    """The file does not reach as far as the range that was asked for."""


@contextmanager
def open_url(url: str, headers: Mapping[str, str], timeout_s: float) -> Iterator[http.client.HTTPResponse]:
    """Asks for a file, follows redirects, and gives an answer whose status is 200 or 206.

    Proxies are those of the environment (`https_proxy`, `no_proxy`). Certificates are always checked.

    Args:
        url: may hold a user name and a password, which go to that host alone.
        headers: to send along.
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
    for _ in range(_MOST_REDIRECTS + 1):
        with _in_words():
            response = opener.open(_request(url, headers), timeout=timeout_s)
        with response:
            if response.status not in _REDIRECTS:
                _check(response)
                yield response
                return
            url = _redirected(url, response.headers.get("Location", ""))
    raise MirrorError(f"more than {_MOST_REDIRECTS} redirects")


def read_chunk(response: http.client.HTTPResponse) -> bytes:
    """Returns what has come of a body; nothing at its end, or where the connection ended before.

    Raises:
        Interrupted: the connection broke, or nothing came for too long.
    """
    with _in_words(connected=True):
        return response.read1(_CHUNK)


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    parts = urlsplit(url)
    user, has_user, _ = parts.netloc.rpartition("@")
    plain = parts._replace(netloc=_host(parts), fragment="").geturl()
    request = urllib.request.Request(quote(plain, safe=_AS_IT_IS), headers=dict(headers))
    from streamdet import __version__

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
    """Returns where a redirect leads; credentials go along only to the same server.

    Raises:
        MirrorFailed: nowhere, or where it is not followed.
    """
    try:
        target = urljoin(url, quote(location.encode("iso-8859-1"), safe=_AS_IT_IS))  # headers are read as that
        check_url(target)
    except ValueError:
        raise MirrorError("it redirects to what is no http or https address") from None
    old, new = urlsplit(url), urlsplit(target)
    if old.scheme == "https" and new.scheme == "http":
        raise MirrorError("it redirects from https to http, which anybody on the way could change")
    if (old.scheme, _host(old)) == (new.scheme, new.netloc):
        new = new._replace(netloc=old.netloc)
    return new.geturl()


def _check(response: http.client.HTTPResponse) -> None:
    status = response.status
    if status in (200, 206):
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.casefold() != "identity":
            raise MirrorError("it sends the file packed, which was not asked for")
        return
    known = status in HTTPStatus.__members__.values()
    reason = f"HTTP {status}" + (f" {HTTPStatus(status).phrase}" if known else "")  # not the server's own words
    if status == 416:
        raise RangeNotSatisfiableError(reason)
    if status in _PASSING:
        after = response.headers.get("Retry-After", "")
        raise TemporaryMirrorError(
            reason, min(float(after), _LONGEST_WAIT_S) if after.isascii() and after.isdecimal() else 0.0
        )
    raise MirrorError(reason)


@contextmanager
def _in_words(connected: bool = False) -> Iterator[None]:
    """Turns what the library raises into words.

    Who cannot be reached is not tried again: another mirror is more likely to help. Once a server has answered, a
    failure may pass.
    """
    try:
        yield
    except urllib.error.URLError as error:  # while connecting
        raise MirrorError(_unreachable(error.reason)) from None
    except TimeoutError:
        raise TemporaryMirrorError("nothing came for too long") from None
    except (OSError, http.client.HTTPException) as error:
        kind = "the connection broke" if connected or isinstance(error, OSError) else "its answer is not HTTP"
        raise TemporaryMirrorError(kind) from None
    except ValueError:  # an impossible host name, found only on the way
        raise MirrorError("its address cannot work") from None


def _unreachable(reason: object) -> str:
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

"""Translates FFmpeg's errors into messages for the user who gave the address."""

from __future__ import annotations

import av.error

from streamdet.errors import AuthError, SourceError
from streamdet.redact import redact

_REFUSED_CREDENTIALS = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)

# The first match wins, so subclasses come before their bases.
_MESSAGES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (_REFUSED_CREDENTIALS, "the credentials were refused: check user and password in the address"),
    (av.error.HTTPNotFoundError, "the server has no such stream (404): check the path in the address"),
    (av.error.HTTPTooManyRequestsError, "the server limits the number of requests (429): wait and try again"),
    (av.error.HTTPClientError, "the server refused the request: check the address"),
    (av.error.HTTPServerError, "the server reported an internal error: check its log, or try again later"),
    (av.error.ConnectionRefusedError, "the connection was refused: is the server running, and is the port right?"),
    (av.error.ConnectionResetError, "the server closed the connection"),
    (av.error.BrokenPipeError, "the server closed the connection"),
    (av.error.PermissionError, "permission to read it is missing: check its permissions"),
    (av.error.FileNotFoundError, "it does not exist"),
    (av.error.IsADirectoryError, "it is a directory"),
    (av.error.ProtocolNotFoundError, "the FFmpeg in PyAV does not support this protocol"),
    (
        (av.error.DecoderNotFoundError, av.error.DemuxerNotFoundError),
        "no decoder for it in FFmpeg: convert it to H.264",
    ),
    (av.error.PatchWelcomeError, "it uses a feature that FFmpeg cannot decode: convert it to H.264"),
    (av.error.MemoryError, "not enough memory for it, or it has more streams than allowed"),
)


def is_timeout(error: BaseException) -> bool:
    """Returns whether `error` is a timeout, of PyAV (which interrupts the call) or of the socket."""
    return isinstance(error, av.error.ExitError | av.error.TimeoutError)


def explain(
    error: av.error.FFmpegError, name: str, *, network: bool, timeout_s: float, opening: bool, took_s: float = 0.0
) -> SourceError:
    """Returns an error whose one-line message says what happened to the source `name`, and what to do.

    Raise it ``from None``: FFmpeg's own text contains the address with its password.

    Args:
        error: what PyAV raised.
        name: name of the source.
        network: the source is reached over a network.
        timeout_s: the timeout of the call.
        opening: True while connecting, False while reading.
        took_s: duration of the call. When a timeout interrupts an RTSP handshake, FFmpeg reports "invalid data";
            only the duration identifies the timeout.
    """
    if is_timeout(error) or (network and opening and took_s >= 0.9 * timeout_s):
        missing = "no answer" if opening else "no data"
        return SourceError(f"{name}: {missing} for {timeout_s:g} s: is the source sending, and is the network up?")
    for error_types, message in _MESSAGES:
        if isinstance(error, error_types):
            result_type = AuthError if isinstance(error, _REFUSED_CREDENTIALS) else SourceError
            return result_type(f"{name}: {message}")
    if network and isinstance(error, OSError):
        problem = "the server cannot be reached" if opening else "the connection was lost"
        return SourceError(f"{name}: {problem} ({_text(error)}): check the host name and the network")
    if isinstance(error, av.error.InvalidDataError):
        if network:
            return SourceError(f"{name}: the answer is not a video stream: are the port and the path right?")
        return SourceError(
            f"{name}: not a video that FFmpeg can read, or damaged, or incomplete: does it play in another program?"
        )
    if isinstance(error, av.error.ArgumentError) and opening:
        return SourceError(
            f"{name}: FFmpeg cannot open it: it is damaged, or of a kind that is not allowed (for example a playlist)"
        )
    return SourceError(f"{name}: FFmpeg failed: {_text(error)}")


def _text(error: av.error.FFmpegError) -> str:
    return redact(str(error.strerror)).splitlines()[0] if error.strerror else type(error).__name__

"""What FFmpeg's errors mean for the person who typed the address."""

from __future__ import annotations

import av.error

from streamdet.errors import AuthError, SourceError
from streamdet.redact import redact

_REFUSED_CREDENTIALS = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)

# First match wins, so the special come before the general.
_MEANING: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (_REFUSED_CREDENTIALS, "the credentials were refused: check user and password in the address"),
    (av.error.HTTPNotFoundError, "the server has no such stream (404): check the path in the address"),
    (av.error.HTTPTooManyRequestsError, "the server asks for fewer requests (429): wait and try again"),
    (av.error.HTTPClientError, "the server refused the request: check the address"),
    (av.error.HTTPServerError, "the server failed on its side: look at its log, or try again later"),
    (av.error.ConnectionRefusedError, "the connection was refused: is the server running, and is the port right?"),
    (av.error.ConnectionResetError, "the connection was cut by the other side"),
    (av.error.BrokenPipeError, "the connection was cut by the other side"),
    (av.error.PermissionError, "it may not be read: check its permissions"),
    (av.error.FileNotFoundError, "it does not exist"),
    (av.error.IsADirectoryError, "it is a directory"),
    (av.error.ProtocolNotFoundError, "the FFmpeg inside PyAV does not speak this protocol"),
    ((av.error.DecoderNotFoundError, av.error.DemuxerNotFoundError), "no decoder for it here: convert it to H.264"),
    (av.error.PatchWelcomeError, "it uses a feature that FFmpeg cannot decode: convert it to H.264"),
    (av.error.MemoryError, "there was not enough memory for it, or it holds more streams than allowed"),
)


def silent(error: BaseException) -> bool:
    """Says whether `error` is a time-out: PyAV's (interrupted) or the socket's own."""
    return isinstance(error, av.error.ExitError | av.error.TimeoutError)


def explain(
    error: av.error.FFmpegError, name: str, *, network: bool, timeout_s: float, opening: bool, took_s: float = 0.0
) -> SourceError:
    """Returns the one line that says what `error` means for the source `name` and what to do about it.

    Raise it ``from None``: FFmpeg's own text holds the address with its password.

    Args:
        error: what PyAV raised.
        name: of the source.
        network: it is behind a network.
        timeout_s: the limit that a time-out overran.
        opening: while connecting, not while reading.
        took_s: how long the call took: an RTSP handshake that is interrupted by its time-out says "invalid data".
    """
    if silent(error) or (network and opening and took_s >= 0.9 * timeout_s):
        heard = "no answer" if opening else "no data"
        return SourceError(f"{name}: {heard} for {timeout_s:g} s: is the source sending, and is the network up?")
    for kinds, meaning in _MEANING:
        if isinstance(error, kinds):
            kind = AuthError if isinstance(error, _REFUSED_CREDENTIALS) else SourceError
            return kind(f"{name}: {meaning}")
    if network and isinstance(error, OSError):
        what = "the server cannot be reached" if opening else "the connection was lost"
        return SourceError(f"{name}: {what} ({_text(error)}): check the host name and the network")
    if isinstance(error, av.error.InvalidDataError):
        if network:
            return SourceError(f"{name}: the answer is no video stream: are the port and the path right?")
        return SourceError(
            f"{name}: not a video FFmpeg can read, or damaged, or cut short in writing: does it play elsewhere?"
        )
    if isinstance(error, av.error.ArgumentError) and opening:
        return SourceError(
            f"{name}: refused by FFmpeg: damaged, or of a kind that is not read here (playlists, for one)"
        )
    return SourceError(f"{name}: FFmpeg failed: {_text(error)}")


def _text(error: av.error.FFmpegError) -> str:
    return redact(str(error.strerror)).splitlines()[0] if error.strerror else type(error).__name__

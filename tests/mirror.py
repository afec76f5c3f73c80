"""A web server with scripted faults: one reply of the script per request."""

from __future__ import annotations

import http.server
import re
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Reply:
    """The reply to one request.

    Attributes:
        status: 200 sends the file, or the requested range of it; others send an empty body.
        body: sent instead of the file.
        ranges: whether the server supports ranges.
        declared: the Content-Length header; -1 sends none; None sends the true length.
        cut: the connection is closed after this number of bytes of the body.
        stall: nothing is sent after this number of bytes of the body; the connection stays open until the server ends.
        headers: further headers; they replace those that would be sent.
    """

    status: int = 200
    body: bytes | None = None
    ranges: bool = True
    declared: int | None = None
    cut: int | None = None
    stall: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One request, and the number of bytes that were sent in reply."""

    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


class Mirror:
    """Serves `content` under every path, on a free port of 127.0.0.1; use it as a context manager.

    Each request gets the next of `replies`; after the last one, that one repeats. `tls`: a certificate with its key.
    """

    def __init__(self, content: bytes, *replies: Reply, etag: str | None = '"v1"', tls: Path | None = None) -> None:
        self.content = content
        self.etag = etag
        self.requests: list[Request] = []
        self.stalled = threading.Event()
        self._replies = list(replies) or [Reply()]
        self._released = threading.Event()
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                request = Request(self.path, {key.casefold(): value for key, value in self.headers.items()})
                mirror.requests.append(request)
                reply = mirror._replies[min(len(mirror.requests), len(mirror._replies)) - 1]
                try:
                    mirror._answer(self, request, reply)
                except OSError:
                    self.close_connection = True  # the client left

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{'http' if tls is None else 'https'}://{self.host}/net.onnx"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def ranges(self) -> list[str | None]:
        return [request.range for request in self.requests]

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, request: Request, reply: Reply) -> None:
        status, body = reply.status, self.content if reply.body is None else reply.body
        headers = {} if self.etag is None else {"ETag": self.etag}
        if status == 200 and reply.ranges and (found := re.fullmatch(r"bytes=(\d+)-", request.range or "")):
            start, whole = int(found[1]), len(body)
            if start >= whole:
                status, body = 416, b""
                headers["Content-Range"] = f"bytes */{whole}"
            elif request.headers.get("if-range") in (None, self.etag):
                status, body = 206, body[start:]
                headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        elif status != 200 and reply.body is None:
            body = b""
        if reply.declared != -1:
            headers["Content-Length"] = str(len(body) if reply.declared is None else reply.declared)
        handler.send_response(status, "\x1b[31mtext of the server")
        for key, value in {**headers, **reply.headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        stop = min(at for at in (len(body), reply.cut, reply.stall) if at is not None)
        handler.wfile.write(body[:stop])
        request.sent = stop
        if reply.stall is not None:
            self.stalled.set()
            self._released.wait(60)

"""A web server that misbehaves as it is told: one reply of its script for each request."""

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
    """How one request is answered.

    Attributes:
        status: 200 gives the file, or the range of it that was asked for; others give an empty body.
        body: instead of the file.
        ranges: whether ranges are known here.
        declared: the Content-Length to state; -1 states none; None states the truth.
        cut: the connection is closed after so many bytes of the body.
        hold: nothing more is sent after so many bytes of the body, and the connection stays open until the server ends.
        headers: further ones; they replace what would have been sent.
    """

    status: int = 200
    body: bytes | None = None
    ranges: bool = True
    declared: int | None = None
    cut: int | None = None
    hold: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """One request, and how many bytes of a body it got."""

    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


class Mirror:
    """Serves `content` under every path on a free port of 127.0.0.1; a context.

    The first requests get `replies`, later ones the last of them. `tls` is a certificate with its key.
    """

    def __init__(self, content: bytes, *replies: Reply, etag: str | None = '"v1"', tls: Path | None = None) -> None:
        self.content = content
        self.etag = etag
        self.asked: list[Asked] = []
        self.holding = threading.Event()
        self._replies = list(replies) or [Reply()]
        self._released = threading.Event()
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                asked = Asked(self.path, {key.casefold(): value for key, value in self.headers.items()})
                mirror.asked.append(asked)
                reply = mirror._replies[min(len(mirror.asked), len(mirror._replies)) - 1]
                try:
                    mirror._answer(self, asked, reply)
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
        return [asked.range for asked in self.asked]

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, asked: Asked, reply: Reply) -> None:
        status, body = reply.status, self.content if reply.body is None else reply.body
        headers = {} if self.etag is None else {"ETag": self.etag}
        if status == 200 and reply.ranges and (found := re.fullmatch(r"bytes=(\d+)-", asked.range or "")):
            start, whole = int(found[1]), len(body)
            if start >= whole:
                status, body = 416, b""
                headers["Content-Range"] = f"bytes */{whole}"
            elif asked.headers.get("if-range") in (None, self.etag):
                status, body = 206, body[start:]
                headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        elif status != 200 and reply.body is None:
            body = b""
        if reply.declared != -1:
            headers["Content-Length"] = str(len(body) if reply.declared is None else reply.declared)
        handler.send_response(status, "\x1b[31mwords of the server")
        for key, value in {**headers, **reply.headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        stop = min(at for at in (len(body), reply.cut, reply.hold) if at is not None)
        handler.wfile.write(body[:stop])
        asked.sent = stop
        if reply.hold is not None:
            self.holding.set()
            self._released.wait(60)

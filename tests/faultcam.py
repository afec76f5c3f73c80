"""A fault-injecting network camera: RTSP/1.0 over TCP, H.264, one verb of a script per connection.

    with FaultCam(["play_then_stall", "refuse", "play"]) as cam:
        NetworkSource(cam.url, ...)

Each connection uses the next verb; all connections after the last verb use that one. The numbers in the frames
(tests/sources/clips.py) continue across connections, like the clock of a camera.
"""

import asyncio
import base64
import contextlib
import socket
import struct
import threading
from fractions import Fraction

import av

from tests.sources.clips import numbered

FPS = 25
GOP = 5
AFTER = 8
"""Frames that are sent before the fault."""

VERBS = {
    *("play", "refuse", "accept_then_silent", "describe_slow", "401", "404", "sdp_without_video"),
    *("play_then_stall", "rst_mid_stream", "fin", "finite", "sps_change"),
    *("dup_ts", "back_ts", "jump_ts", "drop_packets", "garbage"),
}
SIZE, OTHER_SIZE = (128, 96), (160, 112)


def encode_clip(size: tuple[int, int], count: int = 50) -> list[list[bytes]]:
    """Returns H.264 as a list of NAL units per numbered frame, with parameter sets before every key frame."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(GOP), "x264-params": "slices=1:annexb=1"}
    units = []
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(numbered(i, *size), "bgr24").reformat(format="yuv420p")
        frame.pts = i
        units += [_split_nal(bytes(packet)) for packet in context.encode(frame)]
    return units


def _split_nal(annexb: bytes) -> list[bytes]:
    parts = annexb.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part and part[0] & 0x1F in (1, 5, 7, 8)]


class FaultCam:
    """Serves until the end of its ``with`` block. `served` and `kill` may be used from any thread.

    Attributes:
        script: verbs of the next connections.
        speed: factor by which frames are sent faster than real time.
        served: verbs used so far.
        requests: headers of the requests so far.
        idle: set while no connection is open.
    """

    clips: dict[tuple[int, int], list[list[bytes]]] = {}  # noqa: RUF012  # encoded once for all tests

    def __init__(self, script: list[str], *, speed: float = 1.0) -> None:
        assert set(script) <= VERBS, f"unknown verb in {script}"
        self.script = list(script)
        self.speed = speed
        self.served: list[str] = []
        self.requests: list[str] = []
        self.idle = threading.Event()
        self._number = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faultcam")
        for size in (SIZE, OTHER_SIZE):
            self.clips.setdefault(size, encode_clip(size))

    def __enter__(self) -> "FaultCam":
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"rtsp://admin:s3cret@127.0.0.1:{self.port}/cam"
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def kill(self) -> None:
        """Stops listening and drops all connections, like a power failure."""
        self._call(self._close())

    def restart(self) -> None:
        """Listens again on the same port."""
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self.idle.clear()
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)
            if not self._tasks:
                self.idle.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.served.append(verb)
        if verb == "refuse":  # the closest a listening port can come: reset the connection at once
            return _reset(writer)
        if verb == "accept_then_silent":
            await reader.read()  # until the client gives up
        playing = None
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if head.startswith("$"):
                    continue  # receiver reports; in practice none contains an empty line
                self.requests.append(head)
                method = head.split()[0]
                if method == "TEARDOWN":
                    return
                writer.write(await self._answer(verb, method, head))
                await writer.drain()
                if method == "PLAY":
                    playing = asyncio.create_task(self._play(verb, writer))
        finally:
            if playing:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)

    async def _answer(self, verb: str, method: str, head: str) -> bytes:
        cseq = next(line.split(":")[1].strip() for line in head.splitlines() if line.lower().startswith("cseq"))
        status, extra, body = "200 OK", "Session: 7;timeout=60\r\n", ""
        if method == "OPTIONS":
            extra = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        elif method == "DESCRIBE":
            if verb == "401":
                status, extra = "401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"\r\n'
            elif verb == "404":
                status = "404 Not Found"
            elif verb == "describe_slow":
                await asyncio.sleep(3600)
            else:
                body, extra = self._sdp(verb), "Content-Type: application/sdp\r\n"
        elif method == "SETUP":
            extra += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{extra}{length}\r\n{body}".encode()

    def _sdp(self, verb: str) -> str:
        sets = [base64.b64encode(nal).decode() for nal in self.clips[SIZE][0] if nal[0] & 0x1F in (7, 8)]
        length = "a=range:npt=0-0.6\r\n" if verb == "finite" else "a=range:npt=now-\r\n"
        head = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=cam\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n{length}"
        if verb == "sdp_without_video":
            return head + "m=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
        return (
            f"{head}m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=framerate:{FPS}\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={','.join(sets)}\r\na=control:track0\r\n"
        )

    async def _play(self, verb: str, writer: asyncio.StreamWriter) -> None:
        sequence, start = 0, self._loop.time()
        for sent in range(10**9):
            size = OTHER_SIZE if verb == "sps_change" and sent >= 2 * GOP else SIZE
            if sent == 0:
                self._number += -self._number % GOP  # a connection starts with a key frame
            clip = self.clips[size]
            units = clip[self._number % len(clip)]
            faulty = sent >= AFTER
            if faulty and verb == "play_then_stall":
                await asyncio.sleep(3600)
            if faulty and verb == "rst_mid_stream":
                writer.write(b"$\0\xff\xff" + bytes(100))  # ends inside a packet
                return _reset(writer)
            if (faulty and verb == "fin") or (verb == "finite" and sent == 15):
                writer.close()
                return None
            if faulty and verb == "garbage":
                units = [bytes([units[-1][0]]) + b"\xa5" * 200]
            for i, unit in enumerate(units):
                for payload, marker in _packetize(unit, i == len(units) - 1):
                    sequence += 1
                    if verb == "drop_packets" and sequence % 7 == 0 and faulty:
                        continue
                    stamp = int(self._timestamp(verb, sent) * 90000)
                    header = struct.pack(">BBHII", 0x80, 96 | marker << 7, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1)
                    packet = header + payload
                    writer.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            await writer.drain()
            self._number += 1
            await asyncio.sleep(start + (sent + 1) / FPS / self.speed - self._loop.time())
        return None

    def _timestamp(self, verb: str, sent: int) -> float:
        seconds = 100 + sent / FPS / self.speed
        if sent >= AFTER:
            if verb == "dup_ts":
                seconds -= (sent - AFTER) % 2 / FPS / self.speed  # every second timestamp repeats
            elif verb == "back_ts":
                seconds -= 0.1 * ((sent - AFTER) % 3 == 0)
            elif verb == "jump_ts":
                seconds += 3600
        return seconds


def _packetize(nal: bytes, last: bool, limit: int = 1200) -> list[tuple[bytes, int]]:
    """Returns RTP payloads and marker bits: a small NAL unit unchanged, a larger one as FU-A fragments (RFC 6184)."""
    if len(nal) <= limit:
        return [(nal, int(last))]
    indicator, kind = nal[0] & 0xE0 | 28, nal[0] & 0x1F
    pieces = [nal[i : i + limit] for i in range(1, len(nal), limit)]
    ends = len(pieces) - 1
    return [
        (bytes([indicator, (i == 0) << 7 | (i == ends) << 6 | kind]) + piece, int(last and i == ends))
        for i, piece in enumerate(pieces)
    ]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

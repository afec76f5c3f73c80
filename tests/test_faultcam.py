"""The fault-injecting camera itself: apart from the injected fault, it behaves correctly."""

import base64
import socket
import struct

import av
import pytest

from tests.faultcam import GOP, SIZE, VERBS, FaultCam, _packetize, encode_clip


def reassemble(payloads: list[bytes]) -> bytes:
    """Reassembles a NAL unit from RTP payloads as a receiver does (RFC 6184)."""
    if payloads[0][0] & 0x1F != 28:
        return payloads[0]
    return bytes([payloads[0][0] & 0xE0 | payloads[0][1] & 0x1F]) + b"".join(p[2:] for p in payloads)


@pytest.mark.parametrize("length", [1, 1200, 1201, 2400, 5000])
def test_fragments_reassemble_to_the_nal_unit(length: int) -> None:
    nal = bytes([0x65]) + bytes(i % 251 for i in range(length - 1))
    packets = _packetize(nal, last=True)
    assert reassemble([payload for payload, _ in packets]) == nal
    assert [marker for _, marker in packets] == [0] * (len(packets) - 1) + [1]
    assert all(len(payload) <= 1202 for payload, _ in packets)


def test_every_group_of_pictures_starts_with_parameter_sets() -> None:
    clip = encode_clip(SIZE, 2 * GOP)
    assert len(clip) == 2 * GOP
    for number, units in enumerate(clip):
        kinds = [unit[0] & 0x1F for unit in units]
        assert kinds == ([7, 8, 5] if number % GOP == 0 else [1])


def ask(cam: FaultCam, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", cam.port), timeout=10) as connection:
        connection.sendall(f"{request} {cam.url} RTSP/1.0\r\nCSeq: 3\r\n\r\n".encode())
        return connection.recv(4096)


def test_describe_returns_a_valid_sdp() -> None:
    with FaultCam(["play"]) as cam:
        answer = ask(cam, "DESCRIBE").decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("RTSP/1.0 200 OK\r\nCSeq: 3\r\n")
    assert f"Content-Length: {len(body)}" in head
    sets = body.partition("sprop-parameter-sets=")[2].split("\r\n")[0].split(",")
    assert [base64.b64decode(text)[0] & 0x1F for text in sets] == [7, 8]


@pytest.mark.parametrize(("verb", "status"), [("401", "401 Unauthorized"), ("404", "404 Not Found")])
def test_error_statuses_are_sent(verb: str, status: str) -> None:
    with FaultCam([verb]) as cam:
        assert ask(cam, "DESCRIBE").decode().startswith(f"RTSP/1.0 {status}\r\nCSeq: 3")


def test_refuse_resets_the_connection() -> None:
    with FaultCam(["refuse"]) as cam, pytest.raises(ConnectionResetError):
        ask(cam, "OPTIONS")


def test_each_connection_uses_one_verb_and_the_last_verb_repeats() -> None:
    with FaultCam(["404", "401"]) as cam:
        statuses = [ask(cam, "DESCRIBE")[9:12] for _ in range(3)]
    assert statuses == [b"404", b"401", b"401"]
    assert cam.served == ["404", "401", "401"]


def test_interleaved_packets_are_framed() -> None:
    with (
        FaultCam(["play"], speed=4) as cam,
        socket.create_connection(("127.0.0.1", cam.port), timeout=10) as connection,
    ):
        connection.sendall(b"PLAY rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        stream = connection.makefile("rb")
        assert b"" in (line.strip() for line in stream)  # the end of the response header
        sequences = []
        for _ in range(10):
            dollar, channel, length = struct.unpack(">cBH", stream.read(4))
            packet = stream.read(length)
            assert (dollar, channel, packet[0], packet[1] & 0x7F) == (b"$", 0, 0x80, 96)
            sequences.append(struct.unpack_from(">H", packet, 2)[0])
        stream.close()
    assert sequences == list(range(1, 11))


def test_ffmpeg_plays_it() -> None:
    with FaultCam(["play"], speed=4) as cam:
        with av.open(cam.url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
            frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == SIZE


def test_unknown_verbs_are_an_error() -> None:
    with pytest.raises(AssertionError, match="unknown verb"):
        FaultCam(["dance"])
    assert "play" in VERBS

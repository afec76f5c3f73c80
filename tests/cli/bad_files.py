"""Small generated files, each with one fault."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import onnx

from tests.models.nets import model_with
from tests.sources.clips import encode

FRAMES = 60
ORT_READS = 10  # an IR version that every supported ONNX Runtime reads


def make_all(folder: Path) -> None:
    """Fills a folder with the files that the tables in test_bad_input name."""
    _videos(folder)
    _pictures(folder)
    _models(folder)


def _videos(folder: Path) -> None:
    random = np.random.default_rng(1)
    good = encode(folder / "good.mp4", FRAMES).read_bytes()
    (folder / "cut.mp4").write_bytes(good[: len(good) // 2])  # without the index, which is at the end
    mkv = encode(folder / "good.mkv", FRAMES).read_bytes()
    (folder / "cut.mkv").write_bytes(mkv[: len(mkv) * 6 // 10])
    flipped = bytearray(mkv)
    for at in random.integers(600, len(mkv), 60):
        flipped[at] ^= 1 << int(random.integers(8))
    (folder / "flipped.mkv").write_bytes(flipped)
    (folder / "codec.mkv").write_bytes(mkv.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/ZZZ"))
    (folder / "garbage.mp4").write_bytes(random.bytes(50_000))
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("no video\n" * 100)
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n")
    encode(folder / "sound.mp4", audio=True, video=False)
    encode(folder / "wide.mkv", 3, (20_000, 16), codec="ffv1")


def _png(width: int, height: int) -> bytes:
    """Returns a complete PNG file of that size, without pixel rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _pictures(folder: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 255, (120, 160, 3), np.uint8)
    (folder / "zero.png").write_bytes(_png(0, 0))
    (folder / "bomb.png").write_bytes(_png(16_000, 16_000))
    cv2.imwrite(str(folder / "wide.jpg"), np.zeros((4, 20_000, 3), np.uint8))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "garbage.jpg").write_bytes(os.urandom(3000))
    for name in ("intact.jpg", "intact.png"):
        cv2.imwrite(str(folder / name), noise)
        data = (folder / name).read_bytes()
        (folder / name.replace("intact", "cut")).write_bytes(data[: len(data) // 2])
    jpeg = (folder / "intact.jpg").read_bytes()
    (folder / "scratched.jpg").write_bytes(jpeg[:-2] + bytes(500) + jpeg[-2:])
    (folder / "nothing").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "readme.txt").write_text("no picture")
    (folder / "mixed").mkdir()
    for name in ("cut.png", "empty.jpg", "garbage.jpg", "scratched.jpg", "intact.jpg", "intact.png", "zero.png"):
        (folder / "mixed" / name).write_bytes((folder / name).read_bytes())


def _models(folder: Path) -> None:
    def save(name: str, inputs: dict, outputs: dict) -> bytes:
        model = model_with(inputs, outputs)
        model.ir_version, model.opset_import[0].version = ORT_READS, 17
        onnx.save(model, folder / name)
        return (folder / name).read_bytes()

    image, boxes = {"images": [1, 3, 64, 64]}, {"output": [1, 84, 85]}
    complete = save("lying.onnx", image, boxes)  # its output shapes are those of a YOLOX, its graph cannot compute them
    (folder / "cut.onnx").write_bytes(complete[:-20])
    (folder / "text.onnx").write_text("no model")
    (folder / "page.onnx").write_text("<html>404</html>")
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "net.pt").write_bytes(b"PK\x03\x04 and so on")
    save("classifier.onnx", {"images": [1, 3, 224, 224]}, {"logits": [1, 1000]})
    save("raw_boxes.onnx", {"images": [1, 3, 640, 640]}, {"output0": [1, 84, 8400]})
    save("dynamic.onnx", {"images": ["n", 3, "h", "w"]}, {"output": [1, 100, 6]})
    save("two_inputs.onnx", {"a": [1, 3, 64, 64], "b": [1, 4]}, {"output": [1, 100, 6]})
    (folder / "lost.yaml").write_text("file: nowhere.onnx\n")
    (folder / "typo.yaml").write_text("file: lying.onnx\ncontarct: yolox\n")
    model = onnx.load(folder / "lying.onnx")
    model.ir_version = 99
    onnx.save(model, folder / "future.onnx")

"""Benchmark: pre-processing of 1080p for the flagship, compared with OpenCV and with the unavoidable memory traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.bench.timing import Timing, time_interleaved
from streamdet.color import ColorSpace
from streamdet.detect.preprocess import Preprocessor
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.picture import Picture, PixelFormat

WIDTH, HEIGHT = 1920, 1080
SPEC = ModelSpec(
    "ssd-resnet34", Contract.SSD_HEADS, 1200, 1200, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
)

BYTES = replace(SPEC, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), uint8=True)
"""The same for a network that contains its normalization."""


def synthetic_picture(seed: int = 0) -> Picture:
    """Returns a 1080p I420 picture with detail at several scales."""
    random = np.random.default_rng(seed)
    size = (WIDTH, HEIGHT)
    layers = [cv2.resize(random.integers(0, 256, (9 * n, 16 * n, 3), np.uint8), size) for n in (1, 6, 30)]
    bgr = np.mean(layers, axis=0).astype(np.uint8)
    return Picture.from_bgr(bgr, ColorSpace()).copy(PixelFormat.I420)


def run(rounds: int) -> tuple[str, list[Timing], list[str]]:
    """Returns a title, the timings with streamdet first, and notes: bytes moved, rates and the ratio to the floor.

    Args:
        rounds: how often each candidate is timed, at least 1.
    """
    picture = synthetic_picture()
    preprocessor = Preprocessor(SPEC)
    batch = np.empty((1, *preprocessor.shape), np.float32)
    preprocessor_of_bytes = Preprocessor(BYTES)
    bytes_out = np.empty(preprocessor_of_bytes.shape, np.uint8)
    bgr_picture = Picture.from_bgr(picture.bgr())
    packed = np.concatenate([picture.visible(i).ravel() for i in range(3)])
    i420 = packed.reshape(HEIGHT * 3 // 2, WIDTH)  # OpenCV's form: one array without padding
    bgr = picture.bgr()
    spare_planes, spare_batch, spare_bytes = np.empty_like(packed), np.empty_like(batch), np.empty_like(bytes_out)

    def floor() -> None:
        np.copyto(spare_planes, packed)
        spare_batch.fill(1.0)

    def floor_of_bytes() -> None:
        np.copyto(spare_planes, packed)
        spare_bytes.fill(1)

    candidates: dict[str, Callable[[], object]] = {
        "streamdet, from I420": lambda: preprocessor(picture, batch[0]),
        "streamdet, from BGR": lambda: preprocessor(bgr_picture, batch[0]),
        "blobFromImage, from BGR": lambda: _blob(bgr),
        "blobFromImage, from I420": lambda: _blob(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)),
        "cv2 + numpy, from I420": lambda: _with_numpy(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)),
        "streamdet, from I420 to uint8": lambda: preprocessor_of_bytes(picture, bytes_out),
        "floor of uint8": floor_of_bytes,
        "floor: copy planes, fill tensor": floor,
    }
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # streamdet uses one
    try:
        timings = time_interleaved(candidates, rounds)
    finally:
        cv2.setNumThreads(threads)
    ours, least = timings[0].median_ms, timings[-1].median_ms
    ours_of_bytes, least_of_bytes = timings[-3].median_ms, timings[-2].median_ms
    moved = packed.nbytes + batch.nbytes
    notes = [
        f"one thread each; {packed.nbytes / 1e6:.1f} MB read, {batch.nbytes / 1e6:.1f} MB written",
        f"streamdet: {moved / ours / 1e6:.1f} GB/s; floor: {moved / least / 1e6:.1f} GB/s, {ours / least:.1f}x as fast",
        f"uint8: {bytes_out.nbytes / 1e6:.1f} MB written, {ours_of_bytes / least_of_bytes:.1f}x its floor: a quarter "
        "of the bytes, but no less arithmetic",
        "blobFromImage has one scale for all channels, so its result differs slightly from the network's input",
    ]
    return "pre-processing 1920x1080 -> 1x3x1200x1200, float32 unless stated", timings, notes


def _blob(bgr: NDArray[np.uint8]) -> object:
    mean = SPEC.mean
    return cv2.dnn.blobFromImage(bgr, 1 / 57.6, (SPEC.width, SPEC.height), mean, swapRB=True, crop=False)


def _with_numpy(bgr: NDArray[np.uint8]) -> object:
    resized = cv2.resize(bgr, (SPEC.width, SPEC.height))
    rgb = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB).astype(np.float32)
    normalized = (rgb - np.array(SPEC.mean, np.float32)) / np.array(SPEC.std, np.float32)
    return np.ascontiguousarray(normalized.transpose(2, 0, 1))[None]

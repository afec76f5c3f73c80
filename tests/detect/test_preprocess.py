"""Pre-processing: kernels equal numpy and OpenCV, and colors are right for any plane layout."""

from dataclasses import replace

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from streamdet.color import ColorSpace, Matrix
from streamdet.detect.letterbox import LetterboxTransform, letterbox
from streamdet.detect.preprocess import Preprocessor, make_axes
from streamdet.detect.resample import ChannelTransform, Scratch, resample_reference
from streamdet.kernels import compilations
from streamdet.model_spec.spec import Contract, ModelSpec, Resize
from streamdet.picture import Picture, PixelFormat, plane_shapes

PLAIN = ModelSpec("plain", Contract.YOLOX, 24, 16)
FLAGSHIP = replace(PLAIN, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
LAYOUT = {PixelFormat.I420: 0, PixelFormat.NV12: 1, PixelFormat.BGR24: 2}


def picture_of(rng, format, width, height, color=None, padding=0):
    """Returns a picture of noise with `padding` bytes at the end of each line."""
    planes = tuple(
        rng.integers(0, 256, (rows, line + padding), np.uint8) for rows, line in plane_shapes(format, width, height)
    )
    return Picture(width, height, format, planes, color or ColorSpace())


def run(spec, picture):
    """Returns (3, h, w) float32 for any input layout, and the transform."""
    preprocessor = Preprocessor(spec)
    out = np.full(preprocessor.shape, 99, preprocessor.dtype)
    fit = preprocessor(picture, out)
    return (out if spec.nchw else out.transpose(2, 0, 1)).astype(np.float32), fit


def smooth(height, width, rng):
    """Returns a picture without hard edges, so that a wrong pixel center shows as a ramp, not as noise."""
    return cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


@given(
    seed=st.integers(0, 2**32 - 1),
    format=st.sampled_from(PixelFormat),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    input_size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    resize=st.sampled_from(Resize),
    padding=st.sampled_from([0, 1, 32]),
    rgb=st.booleans(),
    nchw=st.booleans(),
    uint8=st.booleans(),
    matrix=st.sampled_from(Matrix),
    full_range=st.booleans(),
)
@example(94177, PixelFormat.I420, (1, 23), (4, 18), Resize.STRETCH, 0, False, False, True, Matrix.BT601, False)
@settings(max_examples=150)
def test_kernel_equals_reference(seed, format, size, input_size, resize, padding, rgb, nchw, uint8, matrix, full_range):
    picture = picture_of(np.random.default_rng(seed), format, *size, ColorSpace(matrix, full_range), padding)
    base = PLAIN if uint8 else FLAGSHIP
    spec = replace(base, width=input_size[0], height=input_size[1], resize=resize, rgb=rgb, nchw=nchw, uint8=uint8)
    got, _ = run(spec, picture)

    area = letterbox(spec, *size)
    to_bgr = picture.color.yuv_to_rgb()[::-1] + np.float32([0, 0, 0, 0.5])
    order = slice(None, None, -1 if rgb else 1)  # the spec's channels as blue, green, red
    mean, std = np.array(spec.mean)[order], np.array(spec.std)[order]
    color = ChannelTransform(to_bgr, np.float32(1 / std), np.float32(-mean / std + (0.5 if uint8 else 0)))
    planes = (picture.planes[0], picture.planes[1 % len(picture.planes)], picture.planes[-1])
    expected = resample_reference(LAYOUT[format], planes, size[0], make_axes(*size, area), color)[order]
    pad = (spec.pad_value - np.array(spec.mean)) / np.array(spec.std)
    full = np.broadcast_to(pad[:, None, None], (3, spec.height, spec.width)).astype(np.float32)
    full[:, area.top : area.top + area.height, area.left : area.left + area.width] = expected
    full = np.floor(full) if uint8 else full
    # Truncation can turn a rounding error into a difference of one step, rarely. An enlarged picture shows each such
    # difference several times.
    difference = np.abs(got - full)
    times = -(-area.width // size[0]) * -(-area.height // size[1])
    assert difference.max() <= 1.001 / np.min(spec.std)
    assert (difference > 2e-5).sum() <= max(3 * times, 0.01 * difference.size)


@pytest.mark.parametrize(
    ("width", "height"), [(64, 48), (33, 17), (1920, 1080), (7, 5)], ids=["smaller", "odd", "hd", "tiny"]
)
def test_bgr_equals_opencv(width, height):
    bgr = smooth(height, width, np.random.default_rng(1))
    spec = replace(FLAGSHIP, width=48, height=40)
    got, _ = run(spec, Picture.from_bgr(bgr))
    resized = cv2.resize(bgr.astype(np.float32), (48, 40), interpolation=cv2.INTER_LINEAR)
    expected = (resized[..., ::-1] - np.float32(spec.mean)) / np.float32(spec.std)
    np.testing.assert_allclose(got, expected.transpose(2, 0, 1), atol=2e-3)


def test_equals_blob_from_image_up_to_rounding():
    bgr = smooth(108, 192, np.random.default_rng(2))
    got, _ = run(replace(PLAIN, width=120, height=120), Picture.from_bgr(bgr))
    blob = cv2.dnn.blobFromImage(bgr, 1.0, (120, 120), swapRB=True)[0]  # rounds to bytes after resizing
    assert np.abs(got - blob).max() <= 1.0


def test_yuv_and_bgr_give_the_same_colors():
    rng = np.random.default_rng(3)
    bgr = smooth(90, 160, rng)
    for color in (ColorSpace(Matrix.BT601), ColorSpace(Matrix.BT709, full_range=True)):
        yuv = Picture.from_bgr(bgr, color).copy(PixelFormat.I420)
        got, _ = run(replace(PLAIN, width=61, height=47), yuv)
        expected, _ = run(replace(PLAIN, width=61, height=47), Picture.from_bgr(yuv.bgr()))
        assert np.abs(got - expected).max() < 1e-3


def test_nv12_equals_i420():
    rng = np.random.default_rng(4)
    i420 = picture_of(rng, PixelFormat.I420, 35, 23)
    pairs = np.stack([i420.planes[1], i420.planes[2]], axis=-1).reshape(12, -1)
    nv12 = Picture(35, 23, PixelFormat.NV12, (i420.planes[0], pairs), i420.color)
    np.testing.assert_array_equal(run(FLAGSHIP, nv12)[0], run(FLAGSHIP, i420)[0])


# 8-bit codes of pure red and 75 % gray as in the recommendations, computed by hand from Kr and Kb.
@pytest.mark.parametrize(
    ("matrix", "full_range", "yuv", "rgb"),
    [
        pytest.param(Matrix.BT601, False, (81, 90, 240), (255, 0, 0), id="601-limited-red"),
        pytest.param(Matrix.BT601, True, (76, 85, 255), (255, 0, 0), id="601-full-red"),
        pytest.param(Matrix.BT709, False, (63, 102, 240), (255, 0, 0), id="709-limited-red"),
        pytest.param(Matrix.BT709, True, (54, 99, 255), (255, 0, 0), id="709-full-red"),
        pytest.param(Matrix.BT2020, False, (74, 97, 240), (255, 0, 0), id="2020-limited-red"),
        pytest.param(Matrix.BT2020, True, (67, 92, 255), (255, 0, 0), id="2020-full-red"),
        pytest.param(Matrix.BT709, False, (32, 240, 118), (0, 0, 255), id="709-limited-blue"),
        pytest.param(Matrix.BT601, False, (145, 54, 34), (0, 255, 0), id="601-limited-green"),
        pytest.param(Matrix.BT709, False, (235, 128, 128), (255, 255, 255), id="limited-white"),
        pytest.param(Matrix.BT709, False, (255, 128, 128), (255, 255, 255), id="above-white-is-clipped"),
        pytest.param(Matrix.BT709, False, (0, 128, 128), (0, 0, 0), id="below-black-is-clipped"),
        pytest.param(Matrix.BT709, True, (128, 128, 128), (128, 128, 128), id="full-gray"),
    ],
)
@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.NV12])
def test_uniform_colors_follow_the_recommendations(matrix, full_range, yuv, rgb, format):
    values = [yuv[0], (yuv[1], yuv[2])] if format is PixelFormat.NV12 else list(yuv)
    planes = tuple(
        np.resize(np.array(value, np.uint8), shape)
        for value, shape in zip(values, plane_shapes(format, 10, 6), strict=True)
    )
    picture = Picture(10, 6, format, planes, ColorSpace(matrix, full_range))
    got, _ = run(PLAIN, picture)
    np.testing.assert_allclose(got, np.broadcast_to(np.array(rgb).reshape(3, 1, 1), got.shape), atol=1.5)
    swapped, _ = run(replace(PLAIN, rgb=False), picture)
    np.testing.assert_array_equal(swapped, got[::-1])


@pytest.mark.parametrize(
    ("resize", "size", "window"),
    [
        (Resize.STRETCH, (1920, 1080), (0, 0, 416, 416)),
        (Resize.LETTERBOX_TOP_LEFT, (1920, 1080), (0, 0, 416, 234)),
        (Resize.LETTERBOX_TOP_LEFT, (1080, 1920), (0, 0, 234, 416)),
        (Resize.LETTERBOX_TOP_LEFT, (640, 427), (0, 0, 416, 277)),
        (Resize.LETTERBOX_CENTER, (640, 427), (0, 69, 416, 278)),
        (Resize.LETTERBOX_CENTER, (1920, 1080), (0, 91, 416, 234)),
        (Resize.LETTERBOX_CENTER, (100, 100), (0, 0, 416, 416)),
        (Resize.LETTERBOX_TOP_LEFT, (20000, 2), (0, 0, 416, 1)),
    ],
)
def test_letterbox_area_of_known_sizes(resize, size, window):
    placed = letterbox(replace(PLAIN, width=416, height=416, resize=resize), *size)
    assert (placed.left, placed.top, placed.width, placed.height) == window


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), resize=st.sampled_from(Resize))
def test_area_fits_the_input_and_boxes_map_back(width, height, resize):
    spec = replace(PLAIN, width=640, height=384, resize=resize)
    area = letterbox(spec, width, height)
    assert area.left >= 0
    assert area.top >= 0
    assert 1 <= area.width <= spec.width - area.left
    assert 1 <= area.height <= spec.height - area.top
    if resize is not Resize.STRETCH:
        assert area.width == spec.width or area.height == spec.height
    fit = area.transform(width, height)
    corners = np.array([[area.left, area.top, area.left + area.width, area.top + area.height]], np.float32)
    boxes = fit.boxes_to_frame(corners, width, height)
    np.testing.assert_allclose(boxes, [[0, 0, width, height]], atol=1e-2, rtol=1e-5)


def test_boxes_are_clipped_to_the_frame():
    boxes = np.array([[-10, -10, 5000, 5000], [10, 20, 30, 40]], np.float32)
    got = LetterboxTransform(0.5, 0.25, 0, 10).boxes_to_frame(boxes, 640, 480)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, [[0, 0, 640, 480], [20, 40, 60, 120]])
    assert LetterboxTransform(1, 1).boxes_to_frame(np.empty((0, 4), np.float32), 10, 10).shape == (0, 4)


def test_nothing_is_compiled_after_warm_up():
    preprocessor = Preprocessor(PLAIN)
    preprocessor.warm_up()
    out = np.empty(preprocessor.shape, preprocessor.dtype)
    before = compilations()
    rng = np.random.default_rng(5)
    for format in PixelFormat:
        for width, height in ((30, 20), (1, 20), (30, 1)):
            picture = picture_of(rng, format, width, height)
            preprocessor(picture, out)
            frozen = tuple(np.frombuffer(p.tobytes(), np.uint8).reshape(p.shape) for p in picture.planes)
            preprocessor(Picture(width, height, format, frozen), out)
    assert compilations() == before


@pytest.mark.parametrize("width", [1, 2, 35])
def test_row_buffers_are_aligned(width):
    """Numba assumes that every array is aligned, and passes that on to LLVM."""
    for buffer in Scratch.allocate(width, 3, np.dtype(np.float32)):
        assert buffer.ctypes.data % buffer.itemsize == 0
        assert not any(stride % buffer.itemsize for stride in buffer.strides)


def test_row_buffers_do_not_leak_between_sizes():
    """Row buffers left from a picture of another size must not affect the result."""
    rng = np.random.default_rng(6)
    shared = Preprocessor(FLAGSHIP)
    out = np.empty(shared.shape, shared.dtype)
    for width in [*range(3, 15), *range(14, 2, -1)]:
        picture = picture_of(rng, PixelFormat.I420, width, 31 - width)
        shared(picture, out)
        np.testing.assert_array_equal(out, run(FLAGSHIP, picture)[0])


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (np.empty((3, 16, 25), np.float32), "(3, 16, 25)"),
        (np.empty((3, 16, 24), np.float64), "float64"),
        (np.empty((3, 16, 48), np.float32)[..., ::2], "C-contiguous"),
    ],
    ids=["shape", "type", "strides"],
)
def test_wrong_output_array_is_rejected(out, words):
    with pytest.raises(ValueError, match="expected a C-contiguous float32 array") as caught:
        Preprocessor(PLAIN)(Picture.from_bgr(np.zeros((4, 4, 3), np.uint8)), out)
    assert words in str(caught.value)


def test_too_wide_picture_is_rejected():
    out = np.empty((3, 16, 24), np.float32)
    Preprocessor(PLAIN)(Picture.from_bgr(np.full((1, 65535, 3), 7, np.uint8)), out)
    assert (out == 7).all()
    with pytest.raises(ValueError, match="wider than 65535 pixels"):
        Preprocessor(PLAIN)(Picture.from_bgr(np.zeros((1, 65536, 3), np.uint8)), out)


@pytest.mark.parametrize("change", [{"std": (1, 0, 1)}, {"uint8": True, "mean": (1, 0, 0)}], ids=["std", "uint8"])
def test_invalid_spec_is_rejected(change):
    with pytest.raises(ValueError, match="std"):
        Preprocessor(replace(PLAIN, **change))

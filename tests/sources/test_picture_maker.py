"""Every pixel format of a decoder becomes the same picture."""

import av
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix, bgr_to_i420
from streamdet.picture import PixelFormat
from streamdet.sources.picture_maker import PictureMaker
from tests.sources.clips import corners, quarters

FORMATS = (
    "yuv420p yuvj420p nv12 nv21 yuv422p yuvj422p yuv444p yuvj444p yuv420p10le yuv422p10le yuyv422 uyvy422 rgb24 bgr24 "
    "gbrp rgba bgra rgb565le yuva420p yuv410p"
)


@pytest.mark.parametrize("size", [(64, 48), (1280, 722), (65, 49)], ids=["sd", "hd", "odd"])
@pytest.mark.parametrize("name", FORMATS.split())
def test_every_format_becomes_the_same_picture(name: str, size: tuple[int, int]) -> None:
    bgr = quarters(*size)
    expected = corners(bgr)
    picture = PictureMaker().make(av.VideoFrame.from_ndarray(bgr, "bgr24").reformat(format=name))
    assert picture.format in (PixelFormat.I420, PixelFormat.NV12)
    assert (picture.width, picture.height) == size
    converted = picture.bgr()
    assert corners(converted) == expected
    if size != (65, 49) and "rgb" in name + "rgb" * name.startswith(("gb", "bg")):
        difference = np.abs(
            converted[:: size[1] // 8, :: size[0] // 8].astype(int) - bgr[:: size[1] // 8, :: size[0] // 8]
        )
        assert np.median(difference) <= 8  # the tagged matrix is the one used for the conversion


@pytest.mark.parametrize("width", [64, 1280])
def test_rgb_gets_the_matrix_that_players_assume(width: int) -> None:
    red = np.zeros((64, width, 3), np.uint8)
    red[:] = (0, 0, 255)
    picture = PictureMaker().make(av.VideoFrame.from_ndarray(red, "rgb24").reformat(format="gbrp"))
    color = ColorSpace(Matrix.BT709 if width == 1280 else Matrix.BT601)
    assert picture.color == color
    y, u, v = (np.zeros(shape, np.uint8) for shape in ((64, width), (32, width // 2), (32, width // 2)))
    blue = np.ascontiguousarray(red.reshape(64, 3 * width))  # the frame above is rgb24, so the picture is blue
    bgr_to_i420(
        np.ascontiguousarray(blue.reshape(64, width, 3)[..., ::-1]).reshape(64, -1),
        width,
        64,
        color.rgb_to_yuv(),
        y,
        u,
        v,
    )
    for plane, expected in enumerate((y, u, v)):
        assert abs(int(picture.visible(plane)[0, 0]) - int(expected[0, 0])) <= 1


@pytest.mark.parametrize(("tag", "full_range"), [(0, True), (1, False), (2, True)])
def test_gray_keeps_its_values_and_range(tag: int, full_range: bool) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((6, 10), 77, np.uint8), "gray")
    frame.color_range = tag
    picture = PictureMaker().make(frame)
    assert (picture.visible(0) == 77).all()
    assert (picture.visible(1) == 128).all()
    assert picture.color.full_range is full_range


@pytest.mark.parametrize("name", ["yuv420p", "nv12"])
def test_planes_of_420_frames_are_not_copied(name: str) -> None:
    frame = av.VideoFrame.from_ndarray(quarters(64, 48), "bgr24").reformat(format=name)
    picture = PictureMaker().make(frame)
    assert picture.owner is frame

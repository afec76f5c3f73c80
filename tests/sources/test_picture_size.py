"""Pictures of invalid size are refused, before they are decoded where possible."""

from pathlib import Path

import pytest

from streamdet.errors import SourceError
from streamdet.sources.file import FileSource
from streamdet.sources.options import SourceOptions
from streamdet.sources.picture_size import check_size
from tests.sources.clips import encode


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [(0, 48, "0x48 pixels: the source is damaged"), (20_000, 10, "16384"), (8000, 8000, "over the limit")],
)
def test_invalid_sizes_are_refused(width: int, height: int, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        check_size("cam", width, height, 7680 * 4320)


def test_a_file_over_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    source = FileSource(encode(tmp_path / "clip.mp4", 2), "clip", SourceOptions(max_pixels=128 * 96 - 1))
    with pytest.raises(SourceError, match="128x96 is over the limit of 12287 pixels"), source:
        source.open()

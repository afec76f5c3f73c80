"""Writes every frame as a JPEG or PNG file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from streamdet.errors import SinkError, UsageError
from streamdet.redact import redact
from streamdet.sinks.base import Sink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles, check_output_file, check_output_folder, write_error
from streamdet.types import Frame, Result, SourceInfo

SUFFIXES = (".jpg", ".jpeg", ".png")
_NUMBER = re.compile(r"%(0\d+)?d")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class ImageSink(Sink):
    """Writes annotated pictures as image files. There are three kinds of target.

    - ``out/%06d.jpg``: a pattern for the frame's index. The folder must exist.
    - ``out/``: a folder, created if missing. Frames that were read from image files keep the name of their file; others
      are named ``SOURCE-000000.jpg`` and so on. Two frames of a run never share a name.
    - ``out.jpg``: a single image. A stream of more than one frame is refused.

    A file gets its name once it is complete. `files` contains the folder, once, or the single image.
    """

    needs_annotated = True
    tolerates_delay = True

    def __init__(self, target: str, options: SinkOptions | None = None, inputs: InputFiles | None = None) -> None:
        super().__init__(redact(target))
        self._options = options or SinkOptions()
        self._path = Path(target)
        self._into_folder = target.endswith(("/", os.sep)) or self._path.is_dir()
        self._patterned = "%" in self._path.name and not self._into_folder
        self._inputs = inputs or InputFiles()
        self._names: set[str] = set()
        self._open = False
        if self._into_folder:
            self._check_folder()
        elif self._patterned:
            if len(_NUMBER.findall(self._path.name)) != 1 or self._path.name.count("%") != 1:
                raise UsageError(f"{target}: a pattern must contain one number such as %06d, for example out/%06d.jpg")
            check_output_folder(self._path.parent, self._path)
        else:
            check_output_file(self._path, overwrite=self._options.overwrite, inputs=self._inputs)

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        single = not (self._into_folder or self._patterned)
        if single and (info.live or (info.frame_count is not None and info.frame_count > 1)):
            raise SinkError(
                f"{self.name} is a single image, and {info.name} has more frames; "
                f"write {self._path.with_name('%06d' + self._path.suffix)} or a video"
            )
        self._open = True

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._open:
            raise SinkError(f"{self.name} is not open")
        path = self._path_of(result.frame)
        if path in self._inputs:
            raise SinkError(f"{path} is a file being read; write to another folder")
        if not self._options.overwrite and path.exists():
            raise SinkError(f"{path} exists already; write to another folder, or allow overwriting")
        data = self._encode(result, path.suffix)
        unfinished = path.with_name(f".{path.name}.part")
        try:
            if self._into_folder:
                self._path.mkdir(exist_ok=True)
            try:
                unfinished.write_bytes(data)
                unfinished.replace(path)
            except OSError:
                unfinished.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise write_error(path, error) from None
        if not self.files:
            self.files.append(path.parent if self._into_folder or self._patterned else path)

    def close(self) -> None:
        """See `Sink.close`."""
        self._open = False
        self._names.clear()

    def _check_folder(self) -> None:
        folder = self._path
        check_output_folder(folder if folder.exists() else folder.parent, folder)
        if self._inputs.contain_images_of(folder):
            raise UsageError(f"{folder} is the folder being read; give the output another folder")

    def _path_of(self, frame: Frame) -> Path:
        if self._into_folder:
            return self._path / self._name_of(frame)
        if self._patterned:
            return self._path.with_name(self._path.name % frame.index)
        if self._names:
            raise SinkError(
                f"{self.name} is a single image, and there are more frames; "
                f"write {self._path.with_name('%06d' + self._path.suffix)} or a video"
            )
        self._names.add(self._path.name)
        return self._path

    def _name_of(self, frame: Frame) -> str:
        if frame.file is None:
            return f"{_UNSAFE.sub('-', frame.source).strip('.-') or 'frame'}-{frame.index:06d}.jpg"
        suffix = frame.file.suffix.lower() if frame.file.suffix.lower() in SUFFIXES else ".jpg"
        name = frame.file.stem + suffix
        if name in self._names:  # a.bmp and a.tif, or x/a.jpg and y/a.jpg
            name = f"{frame.file.stem}-{frame.index:06d}{suffix}"
        self._names.add(name)
        return name

    def _encode(self, result: Result, suffix: str) -> bytes:
        import cv2

        settings = [] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, self._options.jpeg_quality]
        try:
            encoded, data = cv2.imencode(suffix, result.picture.bgr(), settings)
        except cv2.error as error:
            raise SinkError(f"cannot write {self.name}: {redact(error.err)}") from None
        if not encoded:
            raise SinkError(
                f"cannot write {self.name}: a {result.frame.width}x{result.frame.height} picture is too large"
            )
        return data.tobytes()

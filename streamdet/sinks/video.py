"""Video files: H.264 in MP4 or Matroska, with the timestamps and the audio of the source."""

from __future__ import annotations

from pathlib import Path

from streamdet.errors import SinkError
from streamdet.redact import redact
from streamdet.sinks import encoders
from streamdet.sinks.base import Sink
from streamdet.sinks.containers import CONTAINERS
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles, check_output_file, write_error
from streamdet.sinks.recording import Recording, start_recording
from streamdet.types import Result, SourceInfo


class VideoSink(Sink):
    """Records annotated pictures into one video file.

    - Every frame keeps its presentation time: exactly in MP4, which uses the time base of the source, and rounded to
      milliseconds in Matroska. Frames are never resampled to a fixed rate.
    - The first frame creates the file, under its final name. An empty stream leaves no file and keeps an older one. If
      the process is killed, the file is playable and lacks at most the last second; nothing has to be renamed or
      repaired. A closed file is an ordinary MP4.
    - I420 pictures reach the encoder without a copy. Their color matrix and range are tagged in the file, and no pixel
      is converted.
    - Odd sizes are padded by a row or column. If the size changes, later pictures are scaled to the first size with
      black borders.
    - The audio of a file source is passed through, up to the last picture.
    """

    needs_annotated = True
    tolerates_delay = True

    def __init__(self, path: Path, options: SinkOptions | None = None, inputs: InputFiles | None = None) -> None:
        super().__init__(redact(str(path)))
        self._path = path
        self._options = options or SinkOptions()
        if path.suffix.lower() not in CONTAINERS:
            raise SinkError(f"{path}: unsupported kind of video file; use one of {', '.join(CONTAINERS)}")
        check_output_file(path, overwrite=self._options.overwrite, inputs=inputs or InputFiles())
        self._encoder = encoders.choose_encoder(self._options)
        if self._options.encoder != "auto":
            encoders.check_container_accepts(CONTAINERS[path.suffix.lower()].format, self._encoder, self._options)
        self._info: SourceInfo | None = None
        self._recording: Recording | None = None

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`. The first `write` creates the file."""
        self._info = info

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if self._info is None:
            raise SinkError(f"{self.name} is not open")
        frame = result.frame
        try:
            if self._recording is None:
                self._recording = start_recording(
                    self._path, self._encoder, self._info, result.picture, frame.time_base, self._options
                )
                self.files.append(self._path)
            self._recording.write(result.picture, frame.pts, frame.time_base, frame.duration)
        except (OSError, ValueError, RuntimeError) as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """See `Sink.close`."""
        recording, self._recording, self._info = self._recording, None, None
        if recording is None:
            return
        failed_before = recording.file.error is not None
        try:
            try:
                recording.finish()
            finally:
                recording.file.close()
        except (OSError, ValueError, RuntimeError) as error:
            if not failed_before:
                raise self._failure(error, recording) from None

    def _failure(self, error: Exception, recording: Recording | None = None) -> SinkError:
        recording = recording or self._recording
        file_error = recording.file.error if recording is not None else None
        if file_error is not None:
            return write_error(self._path, file_error)
        if isinstance(error, OSError):
            return write_error(self._path, error)
        return SinkError(f"cannot write {self.name}: {redact(str(error))}")

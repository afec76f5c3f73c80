"""Video files: H.264 in MP4 or Matroska with the times of the source and its audio."""

from __future__ import annotations

from pathlib import Path

from streamdet.errors import SinkError
from streamdet.redact import redact
from streamdet.sinks import encoders
from streamdet.sinks.base import Sink
from streamdet.sinks.containers import CONTAINERS
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles, check_output_file, write_error
from streamdet.sinks.recording import Recording, begin
from streamdet.types import Result, SourceInfo


class VideoSink(Sink):
    """Records annotated pictures into one file.

    - Every frame keeps its presentation time, exactly where the container can: MP4 counts in the source's own time
      base, Matroska in milliseconds. Nothing is resampled to a rate.
    - The file is begun, under its final name, by the first frame: an empty stream leaves no file and spares one that
      was there. A killed process leaves what was recorded up to its last second under the name that was asked for,
      with nothing to rename or repair; a closed file is an ordinary MP4.
    - I420 pictures go to the encoder as they are, without a copy. Their colour matrix and range are written into the
      file, not changed.
    - Odd sizes gain a row or column; a size that changes on the way is fitted into the first, with black beside it.
    - Audio of a file source is passed through as far as the pictures reach.
    """

    needs_annotated = True
    tolerates_delay = True

    def __init__(self, path: Path, options: SinkOptions | None = None, inputs: InputFiles | None = None) -> None:
        super().__init__(redact(str(path)))
        self._path = path
        self._options = options or SinkOptions()
        if path.suffix.lower() not in CONTAINERS:
            raise SinkError(f"{path}: no such kind of video file; use one of {', '.join(CONTAINERS)}")
        check_output_file(path, overwrite=self._options.overwrite, inputs=inputs or InputFiles())
        self._encoder = encoders.choose_encoder(self._options)
        if self._options.encoder != "auto":
            encoders.check_container_accepts(CONTAINERS[path.suffix.lower()].format, self._encoder, self._options)
        self._info: SourceInfo | None = None
        self._recording: Recording | None = None

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`. Nothing is created yet."""
        self._info = info

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if self._info is None:
            raise SinkError(f"{self.name} is not open")
        frame = result.frame
        try:
            if self._recording is None:
                self._recording = begin(
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
        of_file = recording.file.error if recording is not None else None
        if of_file is not None:
            return write_error(self._path, of_file)
        if isinstance(error, OSError):
            return write_error(self._path, error)
        return SinkError(f"cannot write {self.name}: {redact(str(error))}")

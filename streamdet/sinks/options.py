"""Options for writing outputs."""

from dataclasses import dataclass

from streamdet.errors import UsageError


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How outputs are written. All sinks of a run share one value; each uses the options that apply to it.

    Attributes:
        encoder: "auto" (the best software encoder for H.264 on this machine), or FFmpeg's name of an encoder.
        quality: constant quality on the scale of x264: 0 lossless, 18 visually lossless, 23 good, 51 worst.
        preset: speed against file size, for x264 and x265 ("ultrafast" to "veryslow").
        bitrate: target bits per second, instead of constant quality.
        gop_s: seconds between key frames; a player can seek only to key frames.
        audio: pass the audio of a file source through.
        jpeg_quality: quality of JPEG files, 1 to 100.
        overwrite: overwrite existing files.
        threads: number of encoder threads; 0 lets the encoder choose.
    """

    encoder: str = "auto"
    quality: int = 23
    preset: str = "veryfast"
    bitrate: int | None = None
    gop_s: float = 1.0
    audio: bool = True
    jpeg_quality: int = 90
    overwrite: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("quality", 0, 51), ("jpeg_quality", 1, 100), ("threads", 0, 64)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} must be {low} to {high}, got {value}")
        if not 0.05 <= self.gop_s <= 60:
            raise UsageError(f"gop_s must be 0.05 to 60 seconds, got {self.gop_s}")
        if self.bitrate is not None and self.bitrate < 1000:
            raise UsageError(f"bitrate must be at least 1000 bits per second, got {self.bitrate}")

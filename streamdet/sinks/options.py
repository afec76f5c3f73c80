"""What a user may choose about outputs."""

from dataclasses import dataclass

from streamdet.errors import UsageError


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How outputs are written. One value for all sinks of a run; each takes what concerns it.

    Attributes:
        encoder: "auto" (the best H.264 encoder of this machine's software ones) or FFmpeg's name of a video encoder.
        quality: constant quality as x264 counts it: 0 lossless, 18 visually lossless, 23 good, 51 worst.
        preset: speed against size, for x264 and x265 ("ultrafast" to "veryslow").
        bitrate: bits per second to aim at instead of constant quality.
        gop_s: seconds between key frames; a player can jump to a key frame only.
        audio: pass the audio of a file source through.
        jpeg_quality: 1 to 100, for pictures.
        overwrite: replace files that are there.
        threads: of the encoder; 0 lets it choose.
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
            raise UsageError(f"bitrate is in bits per second and at least 1000, got {self.bitrate}")

"""Hardware encoders and decoders. FFmpeg lists all that are compiled in, so each one is opened to test it."""

from __future__ import annotations

from collections.abc import Iterator

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.video import encoder_error

_CODECS = ("h264", "hevc", "av1")
_ENGINES = {
    "nvenc": "NVIDIA",
    "qsv": "Intel Quick Sync",
    "amf": "AMD",
    "vaapi": "VAAPI",
    "videotoolbox": "Apple",
    "mf": "Windows",
    "v4l2m2m": "boards like the Raspberry Pi",
}


def probe(_: str = "") -> Iterator[CheckResult]:
    """Tests all hardware encoders and decoders that this FFmpeg contains."""
    yield _encoders()
    yield _decoders()


def _encoders() -> CheckResult:
    from streamdet.sinks.encoders import is_encoder

    name, working, unusable = "hardware encoders", [], []
    for engine, maker in _ENGINES.items():
        present = [f"{codec}_{engine}" for codec in _CODECS if is_encoder(f"{codec}_{engine}")]
        if present:
            good = [encoder for encoder in present if encoder_error(encoder) is None]
            working += good
            unusable += [] if good else [f"{engine} ({maker})"]
    compiled = (
        f"compiled in, but hardware or driver is missing: {', '.join(unusable)}" if unusable else "none compiled in"
    )
    if not working:
        return CheckResult(name, Status.ABSENT, f"none works; {compiled}")
    return CheckResult(name, Status.OK, f"{', '.join(working)}; select one with --encoder {working[0]}")


def _decoders() -> CheckResult:
    import av
    from av.codec.hwaccel import HWAccel, hwdevices_available

    from streamdet.sinks.encoders import OPEN_ERRORS

    kinds = [str(kind) for kind in hwdevices_available()]
    working = []
    for kind in kinds:
        try:
            context = av.CodecContext.create("h264", "r", HWAccel(kind, allow_software_fallback=False))
            context.open()
        except OPEN_ERRORS:
            continue
        if getattr(context, "is_hwaccel", False):
            working.append(kind)
    listed = f" of {', '.join(kinds)}" if kinds else ""
    if not working:
        return CheckResult("hardware decoders", Status.ABSENT, f"none{listed} works; streamdet decodes in software")
    return CheckResult("hardware decoders", Status.OK, f"{', '.join(working)} (streamdet itself decodes in software)")

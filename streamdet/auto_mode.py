"""How frames and detections meet in each stream of a run: as the user says, or as suits it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from streamdet.config import Config, SourceConfig
from streamdet.pipeline.mode import Choice, Mode, Pace, Use, choose
from streamdet.sinks.base import Sink
from streamdet.sources.base import Source

log = logging.getLogger(__name__)

_DELAY_S = 1.0  # of smooth mode, where nothing is said
_MOST_DELAY_S = 2.0  # that is chosen unasked
_HELD_S = 2.5  # of all streams together that waits unasked: 233 MB at 1080p30


def choices_for(
    config: Config,
    sources: Sequence[Source],
    sinks: Sequence[Sequence[Sink]],
    measure_s: Callable[[], float] | None,
) -> list[Choice]:
    """Returns the choice for each source, in their order.

    Args:
        config: of the run.
        sources: of the run.
        sinks: of each source.
        measure_s: says what the detector takes for one picture; called where that decides. None without a detector.
    """
    if config.motion.delay_s is not None and config.mode in (Mode.LIVE.value, Mode.EVERY_FRAME.value):
        log.warning("mode %s delays nothing: without effect is motion.delay_s (--delay)", config.mode)
    if config.mode != "auto":
        return [Choice(Mode(config.mode), config.motion.delay_s or _DELAY_S)] * len(sources)
    uses = [Use.of(stream_sinks) for stream_sinks in sinks]
    recorded = sum(source.live and use is Use.KEPT for source, use in zip(sources, uses, strict=True))
    picture_s = measure_s() if measure_s is not None and recorded else None
    most_s = config.motion.delay_s or min(_MOST_DELAY_S, _HELD_S / max(recorded, 1))
    return [
        choose(
            live=source.live,
            use=use,
            frames_hz=wanted.fps,
            pace=None if picture_s is None else _pace(config, wanted, picture_s),
            most_s=most_s,
        )
        for wanted, source, use in zip(config.sources, sources, uses, strict=True)
    ]


def _pace(config: Config, wanted: SourceConfig, picture_s: float) -> Pace:
    """Returns how detection goes on for one source: it takes turns with all others."""
    turns = sum(source.detect.priority for source in config.sources) / wanted.detect.priority
    slowest_s = 1 / wanted.detect.max_hz if wanted.detect.max_hz else 0.0
    return Pace(max(turns * picture_s, slowest_s), picture_s)

"""The table from a tracker's name to the function that creates it, which `tracker.kind` and `--tracker` choose from.

Add your own with `register_tracker`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.protocols import Tracker
    from streamdet.tracking.tracker_options import TrackerOptions

AUTO = "auto"
"""Tracks every source except still images, with ByteTrack."""
NO_TRACKER = "none"
"""Tracks nothing: detections have no ids."""

TrackerFactory = Callable[["TrackerOptions"], "Tracker"]
"""Creates the tracker of one stream from the options of the configuration."""


def _bytetrack(options: TrackerOptions) -> Tracker:
    from streamdet.tracking.tracker import ByteTracker  # imports Numba

    return ByteTracker(options)


_FACTORIES: dict[str, TrackerFactory] = {"bytetrack": _bytetrack}


def register_tracker(name: str, factory: TrackerFactory) -> None:
    """Adds a tracker under a name that `tracker.kind` and ``run(tracker=name)`` accept from now on.

    Args:
        name: must not be empty or taken.
        factory: called once per stream with its `TrackerOptions`. The tracker gets every detection with a score above
            `options.low_score`, so that it can keep objects alive with weak detections; objects start with scores above
            `options.new_track_score`. A tracker may ignore all options.

    Raises:
        UsageError: the name is empty or taken.
    """
    if not name:
        raise UsageError("the name of a tracker must not be empty")
    if name in tracker_names():
        raise UsageError(f"tracker name {name!r} is taken: choose one other than {_listed(tracker_names())}")
    _FACTORIES[name] = factory


def unregister_tracker(name: str) -> None:
    """Removes a tracker that `register_tracker` added.

    Raises:
        KeyError: no tracker has this name.
    """
    del _FACTORIES[name]


def tracker_names() -> list[str]:
    """Returns what `tracker.kind` may be: "auto", the names in the table, "none"."""
    return [AUTO, *_FACTORIES, NO_TRACKER]


def check_tracker_name(name: str) -> None:
    """Checks a tracker's name.

    Raises:
        UsageError: it is not in the table; the message lists the names that are.
    """
    if name not in tracker_names():
        raise UsageError(f"{name!r} is not valid; use one of {_listed(tracker_names())}")


def create_tracker(name: str, options: TrackerOptions) -> Tracker:
    """Returns a new tracker of the given name ("auto" is ByteTrack).

    Raises:
        UsageError: no tracker has this name.
    """
    check_tracker_name(name)
    return _FACTORIES["bytetrack" if name == AUTO else name](options)


def _listed(names: list[str]) -> str:
    return f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"

"""The configuration of a run: one tree of keys for YAML files, the command line and Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from streamdet.draw.annotate import AnnotateOptions
from streamdet.errors import ConfigError, UsageError
from streamdet.inference.detector import DetectorOptions
from streamdet.pipeline.admission import DetectOptions
from streamdet.pipeline.timing_mode import MAX_DELAY_S
from streamdet.redact import redact
from streamdet.sinks.options import SinkOptions
from streamdet.sources.options import SourceOptions
from streamdet.trackers import AUTO, check_tracker_name
from streamdet.tracking.tracker_options import HIGH_SCORE_SHARE, TrackerOptions
from streamdet.yaml_file import read_yaml

_MAX_BYTES = 256 << 10

RENAMED = {
    "tracker.find_again_s": "tracker.reidentify_s",
    "tracker.lost_after_s": "tracker.max_lost_s",
    "tracker.fade_s": "tracker.score_half_life_s",
    "detector.give_way": "detector.niceness",
}
"""Removed configuration keys and their new names. A removed key is an error that names the new one."""

_TRACKER = TrackerOptions()


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """The tracker, and those of its options that a user may want to set. `TrackerOptions` explains them.

    The scores from which objects start and continue follow from `detector.conf`, so they are not set here.

    Attributes:
        kind: a name in the table of `streamdet.trackers`; "none" for detections without ids; "auto" tracks everything
            but still images, with ByteTrack.
        low_score: minimum score of detections that keep a track alive, at most 0.7 of `detector.conf`; None for 0.4 of
            it.
    """

    kind: str = AUTO
    low_score: float | None = None
    confirm_hits: int = _TRACKER.confirm_hits
    max_lost_s: float = _TRACKER.max_lost_s
    reidentify_s: float = _TRACKER.reidentify_s
    appearance: bool = _TRACKER.appearance
    coast_s: float = _TRACKER.coast_s
    score_half_life_s: float = _TRACKER.score_half_life_s
    class_agnostic: bool = _TRACKER.class_agnostic

    def __post_init__(self) -> None:
        try:
            check_tracker_name(self.kind)
        except UsageError as error:
            raise ConfigError(f"tracker.kind: {error}") from None
        if self.low_score is not None and not 0 <= self.low_score <= HIGH_SCORE_SHARE:
            limit = f"{HIGH_SCORE_SHARE:g} of detector.conf, which is at most 1"
            raise ConfigError(f"tracker.low_score must be at least 0 and at most {limit}, got {self.low_score}")
        self.options(1.0)  # raises for values that cannot work

    def options(self, conf: float) -> TrackerOptions:
        """Returns the tracker's options for a detector with this score threshold.

        Raises:
            ConfigError: `low_score` is too high for this threshold.
        """
        options = TrackerOptions.for_threshold(conf, self.class_agnostic)
        if self.low_score is not None and self.low_score > options.high_score + 1e-6:
            limit = f"{options.high_score:.3g}, {HIGH_SCORE_SHARE:g} of detector.conf ({conf:g})"
            fix = f"lower it, raise detector.conf (--conf), or leave it out for {options.low_score:.3g}"
            raise ConfigError(f"tracker.low_score: {self.low_score:g} is above {limit}: {fix}")
        return replace(
            options,
            low_score=options.low_score if self.low_score is None else min(self.low_score, options.high_score),
            confirm_hits=self.confirm_hits,
            max_lost_s=self.max_lost_s,
            reidentify_s=self.reidentify_s,
            appearance=self.appearance,
            coast_s=self.coast_s,
            score_half_life_s=self.score_half_life_s,
        )


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """How boxes move from the frames the detector runs on to the shown frames, in live and smooth mode.

    Attributes:
        flow: measure motion in the pictures; otherwise the tracker's prediction is shown.
        delay_s: smooth mode: time from the capture of a frame until it is shown. It should be long enough for the next
            detections to arrive: the time between two detections plus the time that one takes. With mode "auto", the
            longest delay that may be chosen. None for 1 s, with "auto" at most 2 s. The delayed frames of a run take at
            most 256 MiB, shared evenly by its streams in smooth mode (2.9 s of one stream at 1080p30, 0.7 s at 4K);
            frames beyond that are shown early, which is logged and counted.
    """

    flow: bool = True
    delay_s: float | None = None

    def __post_init__(self) -> None:
        if self.delay_s is not None and not 0 < self.delay_s <= MAX_DELAY_S:
            raise ConfigError(f"motion.delay_s must be more than 0 and at most {MAX_DELAY_S:g}, got {self.delay_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDefaults(SourceOptions):
    """Options that can be set for all sources at once, or for each source.

    Attributes:
        detect: when and where the detector runs on the source.
    """

    detect: DetectOptions = field(default_factory=DetectOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig(SourceDefaults):
    """One source: its URL and its own options.

    Attributes:
        url: as on the command line.
        name: used for windows, records and files; None derives it from the URL.
    """

    url: str = field(repr=False)  # may contain a password
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of one run. `configs/default.yaml` explains each key.

    Attributes:
        sources: at least one; a file may also write them as ``name: url`` or ``name: {url: ..., ...}``.
        source: options of all sources; a source may override them.
        model: name of a known model, an .onnx file or a .yaml description; "none" shows frames without boxes.
        download: download the file of a known or described model if it is missing.
        contract: the meaning of the model's outputs; None recognizes it.
        outputs: files and folders to write for every source; "{source}" in them is replaced by the source's name.
        show: open a window for every source.
        mode: when frames are shown, and which detections their boxes come from; "auto" chooses for each source, see
            `streamdet.auto_mode`.
        detector: thresholds and hardware.
        tracker: which tracker assigns ids, and its options.
        motion: how boxes move between detections, in live and smooth mode.
        draw: what is drawn.
        recording: how video files are encoded.
        max_frames: stop each source after this number of frames; 0 for no limit.
        duration_s: stop each source after this many seconds of its own time; 0 for no limit.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # unknown keys are errors

    sources: list[SourceConfig] = field(default_factory=list)
    source: SourceDefaults = field(default_factory=SourceDefaults)
    model: str | None = None
    download: bool = True
    contract: str | None = None
    outputs: list[str] = field(default_factory=list)
    show: bool = False
    mode: Literal["auto", "every-frame", "live", "smooth"] = "auto"
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    draw: AnnotateOptions = field(default_factory=AnnotateOptions)
    recording: SinkOptions = field(default_factory=SinkOptions)
    max_frames: int = 0
    duration_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("max_frames", "duration_s"):
            value = getattr(self, name)
            if not value >= 0:  # also refuses NaN
                raise ConfigError(f"{name} must be 0 (no limit) or more, got {value}")


def load_config(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Returns the configuration in a YAML file, with values given elsewhere overriding it.

    Args:
        path: the file; None for the defaults.
        overrides: values that win, as nested mappings; None values are ignored. `sources` may also be a list of URLs.

    Raises:
        ConfigError: a value cannot be used; the message names the key, the value and the fix.
    """
    tree = {} if path is None else read_yaml(path, _MAX_BYTES)
    overrides = dict(overrides or {})
    options = _given(overrides.pop("source", None) or {})
    _overlay(tree, {**overrides, "source": options})
    if options and "sources" in tree:
        tree["sources"] = [_merged(source, options) for source in _listed(tree["sources"])]
    return parse_config(tree)


def parse_config(tree: Mapping[str, Any]) -> Config:
    """Returns the configuration in nested mappings.

    Raises:
        ConfigError: a value cannot be used; the message names the key, the value and the fix.
    """
    tree = {key: value for key, value in tree.items() if value is not None}  # None: a key whose lines are all comments
    if isinstance(tree.get("outputs"), str):
        tree["outputs"] = [tree["outputs"]]
    defaults = _with_size("source", tree.get("source", {}))
    _validated(SourceDefaults, defaults, "source")  # once, not again for each source
    listed = [_with_size(f"sources.{number}", source) for number, source in enumerate(_listed(tree.get("sources", [])))]
    tree |= {"source": defaults, "sources": [_merged(defaults, source) for source in listed]}
    return _validated(Config, tree)


_T = TypeVar("_T")


def _validated(kind: type[_T], tree: Any, where: str = "") -> _T:
    """Returns a `kind` made from nested mappings, or raises ConfigError; `where` is its place, named before the key."""
    try:
        return TypeAdapter(kind).validate_python(tree)
    except ValidationError as error:
        problems = [_explain(problem, [where] if where else []) for problem in error.errors()]
        raise ConfigError("; ".join(problems)) from None


def _with_size(where: str, options: Any) -> Any:
    """Returns the options of a source, with a size like 1280x720 converted to two numbers."""
    if not isinstance(options, dict) or not isinstance(size := options.get("size"), str):
        return options
    if not (match := re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", size)):
        raise ConfigError(f"{where}.size: {redact(repr(size))[:80]} is not valid; write for example 1280x720")
    return {**options, "size": (int(match[1]), int(match[2]))}


def _overlay(tree: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            branch = tree.get(key)
            if branch is None:  # also a key whose lines are all comments
                branch = tree[key] = {}
            if isinstance(branch, dict):
                _overlay(branch, value)
        elif value is not None and value != []:
            tree[key] = value


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns options without None values and without empty branches."""
    given = {key: _given(value) if isinstance(value, Mapping) else value for key, value in options.items()}
    return {key: value for key, value in given.items() if value is not None and value != {}}


def _merged(below: Any, above: Any) -> Any:
    """Returns the mapping `above` with the keys that only `below` has, recursively."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _listed(sources: Any) -> list[dict[str, Any]]:
    """Returns sources in any notation as a list of mappings."""
    if isinstance(sources, str):
        return [{"url": sources}]
    if isinstance(sources, dict):
        named = zip(sources, _listed(list(sources.values())), strict=True)
        return [{"name": str(name), **source} for name, source in named]
    if isinstance(sources, list) and all(isinstance(source, str | int | dict) for source in sources):
        return [dict(source) if isinstance(source, dict) else {"url": str(source)} for source in sources]
    raise ConfigError("sources: expected 'name: url' pairs, for example 'front: rtsp://camera/stream'")


# The fix, by pydantic's name of the problem; pydantic's own texts are for programmers.
_FIXES = {
    "int": "give a whole number",
    "float": "give a number",
    "bool": "give true or false",
    "string": "give text, in quotes where it looks like something else",
    "list": "give a list, as in [a, b]",
    "tuple": "give a list, as in [a, b]",
    "invalid": "give text as the key",
}


def _explain(problem: Any, before: list[Any]) -> str:
    path = before + [part for part in problem["loc"] if isinstance(part, str | int)]
    key = ".".join(str(part) for part in path)
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        if (renamed := _renamed(path)) is not None:
            return f"{key}: unknown key; it was renamed to {renamed}"
        known = _known_keys(path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        inner = [branch for branch in known if path[-1] in _known_keys([*path[:-1], branch])]
        nearest = f"{inner[0]}.{path[-1]}" if inner else close[0] if close else ""
        fix = f"did you mean {nearest!r}?" if nearest else f"known keys here: {', '.join(known)}"
        return f"{key}: unknown key; {fix}"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{key}: is missing"
    value = redact(repr(problem["input"]))
    if problem["type"] == "literal_error":
        fix = f"use one of {problem['ctx']['expected']}"
    elif problem["type"].startswith("dataclass"):
        fix = f"give keys and values below it: {', '.join(_known_keys(path))}"
    else:
        fix = _FIXES.get(problem["type"].partition("_")[0], redact(problem["msg"]))
    return f"{key}: {value[:80]} is not valid; {fix}"


def _renamed(path: list[Any]) -> str | None:
    """Returns the new name of a removed key, or None. Keys of one source have the names of `source`."""
    dotted = ".".join(["source", *path[2:]] if path[0] == "sources" else [str(part) for part in path])
    return RENAMED.get(dotted)


def _known_keys(path: list[Any]) -> list[str]:
    """Returns the keys of the branch at `path`, e.g. ["sources", 0, "backoff"]."""
    branch: Any = Config
    for part in path:
        if isinstance(part, str) and is_dataclass(branch):
            hint = get_type_hints(branch).get(part)
            branch = next((inner for inner in (hint, *get_args(hint)) if is_dataclass(inner)), None)
    return sorted(item.name for item in fields(branch)) if is_dataclass(branch) else []

"""Creates the sources and sinks of a run from its configuration and the caller's own sinks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from streamdet.config import Config
from streamdet.errors import UsageError
from streamdet.sinks.base import Sink
from streamdet.sinks.factory import check_distinct, create_sink, is_window
from streamdet.sinks.output_path import InputFiles
from streamdet.sources.base import Source
from streamdet.sources.factory import create_source

SinkFactory = Callable[[str], Sequence[Sink]]
"""Returns new sinks for the stream of the given name."""


def opens_windows(config: Config) -> bool:
    """Returns whether a run of this configuration opens windows of its own; the caller's sinks do not count."""
    return config.show or any(is_window(uri) for uri in config.outputs)


def create_sources(config: Config) -> list[Source]:
    """Returns the sources of a configuration. A source whose name is taken gets a number after its name."""
    sources: dict[str, Source] = {}
    for wanted in config.sources:
        # in these modes a file plays at its own pace
        options = replace(wanted, realtime=True) if config.mode in ("live", "smooth") else wanted
        source = create_source(wanted.url, name=wanted.name, options=options)
        number = 2
        while source.name in sources:
            name = f"{source.name.removesuffix(f'-{number - 1}')}-{number}"
            source = create_source(wanted.url, name=name, options=options)
            number += 1
        sources[source.name] = source
    return list(sources.values())


def create_sinks(config: Config, sources: Sequence[Source], own_sinks: SinkFactory) -> list[list[Sink]]:
    """Returns the sinks of each source: those of the configuration, then the caller's own.

    Raises:
        UsageError: a sink would write what a source reads or another sink writes; `own_sinks` returns anything but
            sinks, or one sink for two streams.
    """
    several = len(sources) > 1
    uris = [[output_for(uri, source.name, several) for uri in config.outputs] for source in sources]
    check_distinct([uri for uris_of_one in uris for uri in uris_of_one])
    inputs = InputFiles(path for source in sources for path in source.files)
    sinks: list[list[Sink]] = []
    for source, uris_of_one in zip(sources, uris, strict=True):
        wanted = [*uris_of_one, f"window:{source.name}"] if config.show else uris_of_one
        configured = [create_sink(uri, options=config.recording, inputs=inputs) for uri in wanted]
        sinks.append([*configured, *_checked(own_sinks(source.name))])
    every_sink = list(chain.from_iterable(sinks))
    if len({id(sink) for sink in every_sink}) < len(every_sink):
        raise UsageError("sinks: every stream needs its own, but the same sink was given twice")
    return sinks


def _checked(sinks: Sequence[Sink]) -> Sequence[Sink]:
    for sink in sinks:
        if not isinstance(sink, Sink):
            raise UsageError(f"sinks: expected objects of a subclass of streamdet.Sink, got a {type(sink).__name__}")
    return sinks


def output_for(uri: str, name: str, several: bool) -> str:
    """Returns the output of one source: with several sources, each gets its own file.

    >>> output_for("out.mp4", "front", True), output_for("a/{source}.jsonl", "front", True)
    ('out-front.mp4', 'a/front.jsonl')
    >>> output_for("frames/", "front", True), output_for("out.mp4", "front", False), output_for("null:", "front", True)
    ('frames/front/', 'out.mp4', 'null:')
    """
    name = re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "source"  # must not lead into another folder
    if "{source}" in uri:
        return uri.replace("{source}", name)
    if not several or uri.endswith(":") or "://" in uri:
        return uri
    path = Path(uri)
    if uri.endswith("/") or path.is_dir():
        return f"{uri.rstrip('/')}/{name}/"
    return str(path.with_name(f"{path.stem}-{name}{path.suffix}"))

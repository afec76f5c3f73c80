"""`streamdet models pull`: downloads and verifies model files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.errors import UsageError
from streamdet.interrupts import InterruptListener, leave

if TYPE_CHECKING:
    from streamdet.model_spec.origin import Origin


def pull(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL", help="Model: a known name or a .yaml description.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Download every known model.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Download again, and replace the existing file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress; errors are still printed.")] = False,
) -> None:
    """Download models and verify them.

    A file that exists is only verified. An interrupted download is resumed.

    Example: streamdet models pull yolox-nano
    """
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.models.catalog import MODELS, find_origin
    from streamdet.models.model_cache import pull_model as pull_one

    if everything and models:
        raise UsageError(f"--all downloads every known model: omit {', '.join(models)} or --all")
    names = [spec.name for spec in MODELS] if everything else models or []
    if not names:
        raise UsageError("no model given: name a model or add --all; `streamdet models list` lists them")
    for origin, path in [find_origin(name) for name in names]:
        if not quiet:
            typer.echo(f"{origin.name}: {origin.about or 'a model'}")
            typer.echo(f"  license {origin.licence or 'not stated'}; {origin.facts}")
        with InterruptListener(partial(_leave, origin, path, quiet)), DownloadProgress(quiet) as downloading:
            downloaded = pull_one(origin, path, downloading, replace=force)
        if not quiet:
            typer.echo(f"  {'downloaded and verified' if downloaded else 'already downloaded, verified'}: {path}")


def _leave(origin: Origin, path: Path, quiet: bool) -> None:
    """Ends the process at once, wherever it waits; the next download resumes from the file on disk."""
    from streamdet.model_spec.origin import format_bytes
    from streamdet.models.model_cache import FileState, file_status

    here = file_status(origin, path)
    if here.state is FileState.PARTIAL and here.size and not quiet:
        kept = f"{format_bytes(here.size)} of {origin.name} are kept"
        typer.echo(f"\n  stopped; {kept}, and the same command resumes the download", err=True)
    leave()

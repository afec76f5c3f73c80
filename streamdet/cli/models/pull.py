"""`streamdet models pull`: gets files of models, and checks them."""

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
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Known name or YAML description.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every known model.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Download it again, and replace what is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors are told all the same.")] = False,
) -> None:
    """Download models and check them.

    What is here already is only checked. An interrupted download goes on.

    Example: streamdet models pull yolox-nano
    """
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.models.catalog import MODELS, find_origin
    from streamdet.models.model_cache import pull_model as pull_one

    if everything and models:
        raise UsageError(f"--all is every known model: leave out {', '.join(models)}, or --all")
    names = [spec.name for spec in MODELS] if everything else models or []
    if not names:
        raise UsageError("name a model to pull, or --all; `streamdet models list` shows what there is")
    for origin, path in [find_origin(name) for name in names]:
        if not quiet:
            typer.echo(f"{origin.name}: {origin.about or 'a model'}")
            typer.echo(f"  licence {origin.licence or 'not stated'}; {origin.facts}")
        with InterruptListener(partial(_leave, origin, path, quiet)), DownloadProgress(quiet) as downloading:
            downloaded = pull_one(origin, path, downloading, replace=force)
        if not quiet:
            typer.echo(f"  {'downloaded and checked' if downloaded else 'is here and right'}: {path}")


def _leave(origin: Origin, path: Path, quiet: bool) -> None:
    """Ends the process at once, wherever it waits; what is on the disk is what the next one goes on with."""
    from streamdet.model_spec.origin import format_bytes
    from streamdet.models.model_cache import FileState, file_status

    here = file_status(origin, path)
    if here.state is FileState.PARTIAL and here.size and not quiet:
        kept = f"{format_bytes(here.size)} of {origin.name} are kept"
        typer.echo(f"\n  stopped; {kept}, and the same command goes on from there", err=True)
    leave()

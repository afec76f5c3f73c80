"""`streamdet models pull`: gets files of models, and checks them."""

from typing import Annotated

import typer

from streamdet.errors import UsageError


def pull(
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Known name or YAML description.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every known model.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Download it again, and replace what is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors are told all the same.")] = False,
) -> None:
    """Download models and check them; what is here already is only checked. An interrupted download goes on.

    Example: streamdet models pull yolox-nano
    """
    from streamdet.cli.downloading import Downloading
    from streamdet.models.local import State, state
    from streamdet.models.local import pull as pull_one
    from streamdet.models.origin import megabytes
    from streamdet.models.zoo import MODELS, place

    names = [spec.name for spec in MODELS] if everything else models or []
    if not names:
        raise UsageError("name a model to pull, or --all; `streamdet models list` shows what there is")
    for name in names:
        origin, path = place(name)
        if not quiet:
            typer.echo(f"{origin.name}: {origin.about or 'a model'}")
            typer.echo(f"  licence {origin.licence or 'not stated'}; {origin.facts}")
        try:
            with Downloading(quiet) as downloading:
                downloaded = pull_one(origin, path, downloading, replace=force)
        except KeyboardInterrupt:
            here = state(origin, path)
            if here.state is State.PART and not quiet:
                kept = f"{megabytes(here.size)} of {origin.name} are kept"
                typer.echo(f"  stopped; {kept}, and the same command goes on from there", err=True)
            raise
        if not quiet:
            typer.echo(f"  {'downloaded and checked' if downloaded else 'is here and right'}: {path}")

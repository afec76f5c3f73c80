"""`streamdet doctor`: what this machine can do, and what is missing."""

import json
from dataclasses import asdict

import typer

from streamdet.doctor import Check, Status, examine

_STYLES = {Status.OK: "green", Status.ABSENT: "dim", Status.WARN: "yellow", Status.FAIL: "bold red"}


def doctor(as_json: bool = False) -> None:
    """Prints what works here and what to do about what does not; exit code 1 where something is broken.

    Args:
        as_json: print a list of findings instead of a table.
    """
    checks = examine()
    if as_json:
        typer.echo(json.dumps([{**asdict(check), "status": check.status.name.lower()} for check in checks], indent=2))
    else:
        _print_table(checks)
    if any(check.status is Status.FAIL for check in checks):
        raise typer.Exit(1)


def _print_table(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, show_edge=False, box=None, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        detail = Text(check.detail)
        if check.fix:
            detail.append(f"\n→ {check.fix}", style="cyan")
        table.add_row(Text(check.status.value, style=_STYLES[check.status]), check.name, detail)
    console = Console(highlight=False)
    console.print(table)
    bad = [check.name for check in checks if check.status is Status.FAIL]
    console.print(f"\nBroken: {', '.join(bad)}." if bad else "\nNothing is broken.")

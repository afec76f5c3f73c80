"""`streamdet doctor`: checks what this machine supports and what is missing."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING

import typer

from streamdet.doctor import TIMEOUT_S, CheckResult, Diagnosis, Status, diagnose, run_checks

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {Status.OK: "green", Status.ABSENT: "dim", Status.WARN: "yellow", Status.FAIL: "bold red"}
_JSON_FORMAT = 1


def doctor(as_json: bool = False, timeout_s: float = TIMEOUT_S) -> None:
    """Prints what works on this machine and how to fix what does not; exit code 1 if something is broken.

    Args:
        as_json: print JSON instead of a table: ``format`` (version of this JSON, 1), ``took_s``, ``verdict`` (provider,
            summary, best_step, broken) and ``checks`` (name; status ok, absent, warn or fail; detail; fix; took_s).
        timeout_s: time limit of one probe; a probe that takes longer is ended.
    """
    from rich.console import Console

    started = time.perf_counter()
    progress = Console(stderr=True)
    with progress.status("checking this machine") if progress.is_terminal else nullcontext():
        checks = run_checks(timeout_s)
    verdict, took_s = diagnose(checks), time.perf_counter() - started
    if as_json:
        typer.echo(json.dumps(_as_json(checks, verdict, took_s), indent=2))
    else:
        on_terminal = sys.stdout is not None and sys.stdout.isatty()  # None: closed before this process started
        console = Console(highlight=False, soft_wrap=not on_terminal)
        (_print_table if on_terminal else _print_lines)(console, checks)
        _print_verdict(console, checks, verdict, took_s)
    if verdict.broken:
        raise typer.Exit(1)


def _as_json(checks: list[CheckResult], verdict: Diagnosis, took_s: float) -> dict[str, object]:
    return {
        "format": _JSON_FORMAT,
        "took_s": round(took_s, 3),
        "verdict": asdict(verdict),
        "checks": [{**asdict(check), "status": check.status.name.lower()} for check in checks],
    }


def _print_table(console: Console, checks: list[CheckResult]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, show_edge=False, box=None, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check, following in zip_longest(checks, checks[1:]):
        detail = Text(check.detail)
        if check.fix and (following is None or following.fix != check.fix):  # consecutive results may share a fix
            detail.append(f"\n{_arrow(console)} {check.fix}", style="cyan")
        table.add_row(Text(check.status.value, style=_STYLES[check.status]), Text(check.name), detail)
    console.print(table)


def _print_lines(console: Console, checks: list[CheckResult]) -> None:
    """Prints one line per result, for programs such as grep and cut."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        fix = f"  {_arrow(console)} {check.fix}" if check.fix else ""
        console.print(f"{check.status.value:<4}  {check.name:<{width}}  {check.detail}{fix}", markup=False)


def _print_verdict(console: Console, checks: list[CheckResult], verdict: Diagnosis, took_s: float) -> None:
    from rich.text import Text

    slowest = max(checks, key=lambda check: check.took_s, default=None)
    console.print()
    if verdict.broken:
        console.print(Text(f"Broken: {', '.join(verdict.broken)}.", style=_STYLES[Status.FAIL]))
    console.print(Text(verdict.summary))
    console.print(Text(f"Best step: {verdict.best_step}" if verdict.best_step else "Nothing to do.", style="bold"))
    longest = f", longest: {slowest.name} {slowest.took_s:.1f} s" if slowest and slowest.took_s >= 0.1 else ""
    console.print(Text(f"Checked in {took_s:.1f} s{longest}.", style="dim"))


def _arrow(console: Console) -> str:
    return "→" if console.encoding.startswith("utf") else "->"

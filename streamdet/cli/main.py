"""The `streamdet` command: one small tree, errors as one line, exit codes that mean something."""

import contextlib
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import TextIO

import typer

from streamdet.cli.bench import bench
from streamdet.cli.interrupts import EXIT_CODE
from streamdet.cli.models import app as models_app
from streamdet.cli.run import run
from streamdet.errors import StreamdetError
from streamdet.redact import redact

app = typer.Typer(
    name="streamdet",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run)
app.command("bench")(bench)
app.add_typer(models_app, name="models")


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks and debug logs; may stand anywhere."),
) -> None:
    """Real-time object detection on live video.

    Exit codes: 0 clean, 1 a source or sink failed, 2 usage, 3 requested hardware not available, 130 after Ctrl-C.
    """
    if version:
        import streamdet

        print(f"streamdet {streamdet.__version__}")
        raise typer.Exit


@app.command("doctor")
def doctor() -> None:
    """Tell what this machine can do, and what is missing."""
    from streamdet.cli.doctor import doctor as run_doctor

    run_doctor()


def main() -> None:
    """Entry point. Never returns."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    _set_up_logging(debug)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    code = 1
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        code = EXIT_CODE
    except StreamdetError as error:
        code = error.exit_code
        _complain(error, debug)
    except Exception as error:
        _complain(error, debug, unexpected=True)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it may be gone
            stream.flush()
    if code == EXIT_CODE or threading.active_count() > 1:
        os._exit(code)  # a library may still be busy in a thread; do not wait for it, and take nothing away from it
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return EXIT_CODE
    except typer.TyperException as error:
        print(f"streamdet: {redact(error.format_message())} (see: streamdet --help)", file=sys.stderr)
        return error.exit_code


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(error: BaseException, debug: bool, unexpected: bool = False) -> None:
    if debug:
        logging.getLogger("streamdet").error("failed", exc_info=error)
    text = redact(" ".join(str(error).split())) or type(error).__name__
    hint = " (this looks like a defect of streamdet; --debug shows where)" if unexpected else ""
    prefix = f"{type(error).__name__}: " if unexpected else ""
    print(f"streamdet: {prefix}{text}{hint}", file=sys.stderr)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _StderrOfNow(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the time: a progress display stands in for it while it is on the screen."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def _set_up_logging(debug: bool) -> None:
    handler = _StderrOfNow()
    handler.setFormatter(_Redacting("streamdet: %(levelname)s: %(message)s"))
    logger = logging.getLogger("streamdet")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False

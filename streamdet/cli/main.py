"""The `streamdet` command: its subcommands, one-line errors and exit codes."""

import contextlib
import errno
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import typer

from streamdet.cli.bench import app as bench_app
from streamdet.cli.demo import demo
from streamdet.cli.eval import app as eval_app
from streamdet.cli.models import app as models_app
from streamdet.cli.run import run
from streamdet.cli.train import app as train_app
from streamdet.errors import SinkError, StreamdetError
from streamdet.interrupts import EXIT_CODE, raise_keyboard_interrupt
from streamdet.redact import printable, redact

app = typer.Typer(
    name="streamdet",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo)
app.command("run")(run)
app.add_typer(bench_app, name="bench", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(eval_app, name="eval")
app.add_typer(train_app, name="train")


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Print tracebacks and debug logs; accepted in any position."),
) -> None:
    """Real-time object detection on live video.

    Exit codes: 0 success; 1 a source, sink or download failed; 2 wrong usage; 3 requested hardware not available; 130
    stopped by Ctrl-C.
    """
    if version:
        from streamdet.version import __version__

        print(f"streamdet {__version__}")
        raise typer.Exit


@app.command("doctor")
def doctor(
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    limit_s: float = typer.Option(30.0, "--timeout", min=0.1, metavar="S", help="Time limit of one probe, in seconds."),
) -> None:
    """Check what works on this machine and what is missing.

    Prints how to fix what is missing, and what helps most. Exit code 1: something is broken.
    """
    from streamdet.cli.doctor import doctor as run_doctor

    run_doctor(as_json, limit_s)


def main() -> None:
    """Runs the command line of this process and exits; never returns."""
    code = execute(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # closed before this process began
            continue
        try:
            stream.flush()
        except OSError:  # the reader is gone; Python would flush again at exit, and print an error
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if code == EXIT_CODE or threading.active_count() > 1:
        os._exit(code)  # do not wait for a library's busy thread, nor unload what it uses
    sys.exit(code)


def execute(argv: Sequence[str]) -> int:
    """Runs one command line, without the program's name, and returns its exit code.

    Every error is printed as one line on stderr; with ``--debug``, after its traceback.
    """
    arguments = [argument for argument in argv if argument != "--debug"]
    debug = len(arguments) < len(argv)
    with _logging(debug):
        try:
            with raise_keyboard_interrupt():  # inside `try`: from here on Ctrl-C can arrive at any step
                return _run(arguments)
        except KeyboardInterrupt:
            return EXIT_CODE
        except OSError as error:
            if type(error) is BrokenPipeError:  # `| head` has read enough
                return 0
            full = error.errno == errno.ENOSPC and error.filename is None
            _print_error(SinkError("cannot write the output: the disk is full") if full else error, debug, not full)
            return 1
        except StreamdetError as error:
            _print_error(error, debug)
            return error.exit_code
        except Exception as error:
            _print_error(error, debug, unexpected=True)
            return 1


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments, prog_name="streamdet", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SystemExit as stop:  # rich exits this way if the reader of a pipe is gone
        raise BrokenPipeError from stop
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return EXIT_CODE
    except typer.TyperException as error:
        text = error.format_message()
        if text.startswith("Usage: "):  # the command is missing: print its help
            print(text, file=sys.stderr)
        else:
            print(f"streamdet: {redact(text)} ({_advice(error, arguments)})", file=sys.stderr)
        return error.exit_code


def _advice(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Returns which help to read, or the command line that was probably meant."""
    first = arguments[0]
    if "No such command" in error.message and (first.isdecimal() or any(sign in first for sign in "./:")):
        return f"did you mean: streamdet run {redact(first)}"
    if "No such command" in error.message and first in (command.name for command in models_app.registered_commands):
        return f"did you mean: streamdet models {first}"
    context = getattr(error, "ctx", None)
    return f"see: {context.command_path if context else 'streamdet'} --help"


def _print_error(error: BaseException, debug: bool, unexpected: bool = False) -> None:
    if debug:
        logging.getLogger("streamdet").error("failed", exc_info=error)
    text = printable(redact(" ".join(str(error).split()))) or type(error).__name__
    hint = " (this looks like a bug in streamdet; --debug prints the traceback)" if unexpected else ""
    prefix = f"{type(error).__name__}: " if unexpected else ""
    print(f"streamdet: {prefix}{text}{hint}", file=sys.stderr)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`, which a progress display replaces while it is active."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


@contextmanager
def _logging(debug: bool) -> Iterator[None]:
    """Prints the log records of streamdet on stderr, one line each, without credentials."""
    handler = _Stderr()
    handler.setFormatter(_Redacting("streamdet: %(levelname)s: %(message)s"))
    logger = logging.getLogger("streamdet")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate

"""`python -m streamdet` and the `streamdet` command."""

import os
import signal


def main() -> None:
    """Entry point. Never returns."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # imports: there is nothing to finish, or to trace back
    from streamdet.cli.main import main as command

    command()


if __name__ == "__main__":
    main()

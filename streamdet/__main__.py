"""`python -m streamdet` and the `streamdet` command."""

import os
import signal


def main() -> None:
    """Entry point. Never returns."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual:
            signal.signal(number, lambda *_: os._exit(130))  # imports: there is nothing to finish, or to trace back
    from streamdet.cli.main import main as command

    command()


if __name__ == "__main__":
    main()

"""The entry point of `python -m streamdet` and of the `streamdet` command."""

from streamdet.interrupts import exit_at_once


def main() -> None:
    """Entry point. Never returns."""
    exit_at_once()  # during the imports there is nothing to finish, and a traceback would not help
    from streamdet.cli.main import main as command

    command()


if __name__ == "__main__":
    main()

"""`python -m streamdet` and the `streamdet` command."""

from streamdet.interrupts import exit_at_once


def main() -> None:
    """Entry point. Never returns."""
    exit_at_once()  # while importing there is nothing to finish, and a traceback would not help
    from streamdet.cli.main import main as command

    command()


if __name__ == "__main__":
    main()

"""`python -m streamdet` is the same as `streamdet`."""

from streamdet.cli.main import main

main()

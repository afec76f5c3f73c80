"""The version of the package, also in `pyproject.toml`. Modules import it from here, not from the package."""

__version__ = "0.1.0"

"""Keeps pytest from collecting doctests in modules that need PyTorch if it is not installed."""

from importlib.util import find_spec

collect_ignore = (
    [] if find_spec("torch") else [f"streamdet/train/{name}.py" for name in ("job", "loss", "network", "training_loop")]
)

"""Where PyTorch is not installed, pytest does not look for examples in the modules that need it."""

from importlib.util import find_spec

collect_ignore = (
    [] if find_spec("torch") else [f"streamdet/train/{name}.py" for name in ("job", "loss", "network", "training_loop")]
)

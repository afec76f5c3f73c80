"""Waits for a state that other threads or processes bring about."""

import time
from collections.abc import Callable

SLOW_S = 20.0
"""Longest wait for anything: generous, because a busy machine is not a failure."""


def wait_until(condition: Callable[[], object], timeout_s: float = SLOW_S, what: str = "the expected state") -> None:
    """Polls until `condition` returns a true value; fails after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"{what} was not reached within {timeout_s:g} s"
        time.sleep(0.001)

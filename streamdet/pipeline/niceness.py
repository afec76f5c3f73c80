"""Threads that give way to others, so that what can wait does not hold up what others wait for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def lower_priority(nice: int) -> bool:
    """Lets the calling thread, and threads that it starts from now on, give way to all others of the machine.

    On Linux, where every thread has a niceness of its own. A thread cannot take it back, so only threads that end with
    their work should call this.

    Args:
        nice: 0 (does nothing) to 19 (takes what the others leave).

    Returns:
        Whether that was done.
    """
    if not nice or sys.platform != "linux":
        return False
    thread = threading.get_native_id()
    try:
        if os.getpriority(os.PRIO_PROCESS, thread) >= nice:  # a superuser's would take it back
            return False
        os.setpriority(os.PRIO_PROCESS, thread, nice)
    except OSError:  # the system forbids it
        return False
    return True


def run_at_niceness(nice: int, work: Callable[[], T]) -> T:
    """Does something in a thread of its own that gives way, and returns or raises what comes of it.

    Libraries start their pools of threads while models are loaded; these inherit the niceness.
    """
    if not nice or sys.platform != "linux":
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        lower_priority(nice)
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="polite", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]

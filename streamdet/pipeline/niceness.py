"""Lowers the priority of threads, so that work that can wait does not delay work that others wait for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def lower_priority(nice: int) -> bool:
    """Raises the niceness of the calling thread, and of threads that it starts from now on.

    Works on Linux, where every thread has its own niceness. A thread cannot lower it again, so only threads that end
    with their work should call this.

    Args:
        nice: 0 (does nothing) to 19 (runs only when nothing else does).

    Returns:
        Whether the niceness was raised.
    """
    if not nice or sys.platform != "linux":
        return False
    thread = threading.get_native_id()
    try:
        if os.getpriority(os.PRIO_PROCESS, thread) >= nice:  # a superuser's thread would lower it
            return False
        os.setpriority(os.PRIO_PROCESS, thread, nice)
    except OSError:  # the system forbids it
        return False
    return True


def run_at_niceness(nice: int, work: Callable[[], T]) -> T:
    """Calls a function in a new thread of the given niceness, and returns its result or raises its error.

    Libraries start their thread pools while a model is loaded; those threads inherit the niceness.

    Args:
        nice: 0 (calls the function in this thread) to 19.
        work: the function.
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

    thread = threading.Thread(target=run, name="niceness", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]

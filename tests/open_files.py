"""Which file descriptors a test leaves open."""

import gc
import os
import time
from collections import Counter
from pathlib import Path

DESCRIPTORS = Path("/proc/self/fd")

# Libraries open these at first use and keep them until the process ends.
KEPT_BY_LIBRARIES = (
    "anon_inode:",  # epoll, eventfd: GPU drivers and thread pools
    "/dev/",  # GPUs, random numbers, shared memory
    "/memfd:",
    "/proc/",
    "/sys/",
)
MATPLOTLIB_FONTS = "/matplotlib/mpl-data/fonts/"  # matplotlib caches the open fonts of a process


def open_files():
    """Returns target -> number of descriptors; empty if the system has no /proc."""
    targets = Counter()
    try:
        numbers = os.listdir(DESCRIPTORS)
    except OSError:
        return targets
    for number in numbers:
        try:
            target = os.readlink(DESCRIPTORS / number)
        except OSError:  # the one that listed this folder
            continue
        if not target.startswith(KEPT_BY_LIBRARIES) and MATPLOTLIB_FONTS not in target:
            targets[target] += 1
    return targets


def left_open(before, patience_s=5.0):
    """Returns the targets that are open in addition to those before.

    A descriptor may belong to an object in a reference cycle, or to a library's thread that is about to end. The
    garbage collector and the wait cost time only when something is open.
    """
    deadline = time.monotonic() + patience_s
    collected = False
    while left := sorted((open_files() - before).elements()):
        if not collected:
            gc.collect()
            collected = True
        elif time.monotonic() > deadline:
            return left
        else:
            time.sleep(0.02)
    return []

"""The processors: how many this process may use, and how many of them inference gets."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from streamdet.errors import UsageError

HEAVY_GFLOPS = 10.0
"""From here on a network gets every processor.

Measured on two cores. The flagship (433), live at 30 frames/s: with both threads its detections are 2.2 s old instead
of 3.7, every frame is still shown, and the age of frames rises from 40 to 53 ms (95th percentile). YOLOX-nano (1.1):
live the same with one thread or two; on a file 78 and 80 frames/s with one thread, 82 and 61 with two. In between lies
about 20 ms of such a machine, the time of one frame: below, inference waits for frames, above, frames for inference.
"""


def available_cpus(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Returns how many processors this process may keep busy: a container's share can be less than it sees.

    Args:
        quota_file: microseconds of processor time per period, as Linux' control groups state it.
    """
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return cpus


MOST_THREADS = 1024
"""More are a typing mistake, and a machine that creates them stands still."""


def check_threads(threads: int) -> None:
    """Raises UsageError where that is no number of threads for inference; 0 lets them be chosen."""
    if not 0 <= threads <= MOST_THREADS:
        raise UsageError(f"threads must be 0 (chosen here) or up to {MOST_THREADS}, got {threads}")


def default_threads(gflops: float = 0.0) -> int:
    """Returns how many threads inference gets.

    Args:
        gflops: arithmetic of one picture, in 10^9 operations. Heavy networks get all processors, others all but the
            one that decodes, draws and encodes.
    """
    cpus = available_cpus()
    return cpus if gflops >= HEAVY_GFLOPS else max(1, cpus - 1)

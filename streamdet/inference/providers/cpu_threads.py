"""CPU threads: how many CPUs this process may use, and how many threads inference gets."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from streamdet.errors import UsageError

HEAVY_GFLOPS = 10.0
"""Networks from this many GFLOPs on get every CPU.

Measured on two cores. The flagship (433 GFLOPs), live at 30 frames/s: with two threads instead of one its detections
are 2.2 s old instead of 3.7 s, every frame is still shown, and the age of frames rises from 40 to 53 ms (95th
percentile). YOLOX-nano (1.1 GFLOPs): no difference live; on a file 78 and 80 frames/s with one thread, 82 and 61 with
two. The limit in between takes about 20 ms on such a machine, which is one frame period: below it inference waits for
frames, above it frames wait for inference.
"""


def available_cpus(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Returns how many CPUs this process may use; a container's quota can be less than the CPUs it sees.

    Args:
        quota_file: microseconds of CPU time per period, as Linux control groups state it.
    """
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return cpus


MAX_THREADS = 1024
"""More threads are a typing mistake, and creating them would stall the machine."""


def check_threads(threads: int) -> None:
    """Raises UsageError for an invalid number of inference threads; 0 means automatic."""
    if not 0 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be 0 (automatic) or up to {MAX_THREADS}, got {threads}")


def default_threads(gflops: float = 0.0) -> int:
    """Returns the number of inference threads.

    Args:
        gflops: 10^9 operations per picture. Heavy networks get all CPUs; others leave one for decoding, drawing and
            encoding.
    """
    cpus = available_cpus()
    return cpus if gflops >= HEAVY_GFLOPS else max(1, cpus - 1)

"""Frame accounting: received = passed + dropped{cause}, for each stream and each sink."""

from __future__ import annotations

import threading
from collections import Counter

from streamdet.errors import AccountingError


class FrameCounts:
    """Counts the frames of one stream or the results of one sink. Safe to use from any thread.

    Attributes:
        name: of the stream or the sink.
        received: number that came in.
        passed: number that went out.
        dropped: number that was dropped, by cause.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.received = 0
        self.passed = 0
        self.dropped: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count_received(self) -> None:
        """Counts one that came in."""
        with self._lock:
            self.received += 1

    def count_passed(self) -> None:
        """Counts one that went out."""
        with self._lock:
            self.passed += 1

    def count_dropped(self, cause: str, count: int = 1) -> None:
        """Counts some that were dropped; a cause is a short word such as "queue_full" or "stopped"."""
        with self._lock:
            self.dropped[cause] += count

    def __str__(self) -> str:
        causes = "".join(f", {count} dropped ({cause})" for cause, count in sorted(self.dropped.items()))
        return f"{self.name}: {self.received} in, {self.passed} out{causes}"


def check_balance(frame_counts: list[FrameCounts]) -> None:
    """Checks the accounting at the end of a run.

    Raises:
        AccountingError: frames of some stream or sink are neither passed nor dropped.
    """
    wrong = [str(counts) for counts in frame_counts if counts.received != counts.passed + counts.dropped.total()]
    if wrong:
        raise AccountingError(f"frames are not accounted for; this is a defect, please report it: {'; '.join(wrong)}")

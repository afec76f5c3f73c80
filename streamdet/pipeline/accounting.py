"""Every frame accounted for: in = out + dropped{cause}, for each stream and each sink."""

from __future__ import annotations

import threading
from collections import Counter

from streamdet.errors import AccountingError


class FrameCounts:
    """Counts what goes into one place, what comes out, and what is dropped there and why. Safe from any thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received = 0
        self.passed = 0
        self.dropped: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count_received(self) -> None:
        """One came in."""
        with self._lock:
            self.received += 1

    def count_passed(self) -> None:
        """One went out."""
        with self._lock:
            self.passed += 1

    def count_dropped(self, cause: str, count: int = 1) -> None:
        """Some were dropped; causes are short words such as "queue_full" or "stopped"."""
        with self._lock:
            self.dropped[cause] += count

    def __str__(self) -> str:
        causes = "".join(f", {count} dropped ({cause})" for cause, count in sorted(self.dropped.items()))
        return f"{self.name}: {self.received} in, {self.passed} out{causes}"


def check_balance(frame_counts: list[FrameCounts]) -> None:
    """Checks the books at the end of a run.

    Raises:
        AccountingError: some counts does not balance.
    """
    wrong = [str(a) for a in frame_counts if a.received != a.passed + a.dropped.total()]
    if wrong:
        raise AccountingError(f"frames are missing from the books, please report this: {'; '.join(wrong)}")

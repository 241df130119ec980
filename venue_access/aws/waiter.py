"""Retry until AWS shows what is expected: IAM takes seconds to minutes to apply a change everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PROPAGATION = 120.0
"""Seconds to wait until IAM applies a change of a trust policy everywhere."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds


@dataclass(frozen=True)
class RetryPolicy:
    """How long to retry, in seconds, and how to wait between attempts."""

    timeout: float = PROPAGATION
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def attempts(self) -> Iterator[None]:
        """Yield at once, and again after each of ever longer pauses, until the timeout."""
        deadline = self.clock() + self.timeout
        pause = _FIRST_PAUSE
        yield
        while self.clock() + pause <= deadline:
            self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            yield

    def until(self, done: Callable[[], bool]) -> bool:
        """Retry until ``done`` returns true; return false if the timeout comes first."""
        return any(done() for _ in self.attempts())

"""Retries with growing pauses, until the timeout."""

from __future__ import annotations

import pytest

from venue_access.times import RetryPolicy


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)

    def policy(self, timeout: float) -> RetryPolicy:
        return RetryPolicy(timeout, clock=lambda: self.now, sleep=self.sleep)


def test_first_attempt_is_immediate() -> None:
    time = Time()
    assert time.policy(60).until(lambda: True)
    assert time.pauses == []


def test_pauses_double_up_to_five_seconds() -> None:
    time = Time()
    assert time.policy(60).until(lambda: time.now > 20)
    assert time.pauses[:8] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


@pytest.mark.parametrize("timeout", [0, 0.05, 10])
def test_no_pause_passes_the_timeout(timeout: float) -> None:
    time = Time()
    attempts = sum(1 for _ in time.policy(timeout).attempts())
    assert time.now <= timeout
    assert attempts == len(time.pauses) + 1

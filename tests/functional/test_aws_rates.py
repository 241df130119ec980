"""AWS that throttles by rate, as IAM does: many venues are read at the rate that it allows."""

from __future__ import annotations

import time

import pytest

from tests.functional.faults import Fault
from tests.functional.kit import Kit, emulated
from tests.functional.proxy import Proxy


class TokenBucket:
    """Throttle calls of an operation beyond a rate (Amazon EC2 and IAM document such buckets)."""

    def __init__(self, operation: str, *, rate: float, burst: float) -> None:
        self.throttled = 0
        self._operation = operation
        self._rate = rate
        self._burst = self._tokens = burst
        self._filled = time.monotonic()

    def __call__(self, operation: str) -> Fault | None:
        if operation != self._operation:
            return None
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            self.throttled += 1
            return Fault.THROTTLED
        self._tokens -= 1
        return None


@pytest.mark.soak  # half a minute: the rate is what it is about
def test_status_of_hundreds_of_venues_stays_under_the_rate_of_iam(kit: Kit, proxy: Proxy) -> None:
    names = [f"many{number}-dev" for number in range(200)]
    kit.write_inventory({name: emulated(name, aws_endpoint_url=proxy.url) for name in names})
    kit.done("local.up")
    bucket = proxy.fault_of = TokenBucket("GetRole", rate=8, burst=8)
    result = kit("status", "--json")
    assert bucket.throttled
    assert result.code == 0, result.err
    assert [each["error"] for each in result.document()["venues"].values() if each["error"]] == []

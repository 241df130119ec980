"""A ledger in S3 when calls fail."""

from __future__ import annotations

import pytest

from tests.functional.faults import PASSING, Fault, first
from tests.functional.faulty_venue import VENUE, run, through
from tests.functional.kit import Kit
from tests.functional.proxy import Proxy
from tests.functional.trust import VenueTrust


@pytest.fixture
def shared_ledger(faulty: VenueTrust, proxy: Proxy) -> VenueTrust:
    """The venue with a ledger in S3, which has an entry already."""
    faulty.kit.write_inventory({VENUE: through(VENUE, proxy, ledger={"s3": {"bucket": f"{VENUE}-ledger"}})})
    faulty.kit.done("issue-token", "--user", "alice")
    proxy.forget()
    return faulty


@pytest.mark.parametrize(
    "fault",
    [each if each is Fault.LOST else pytest.param(each, marks=pytest.mark.soak) for each in PASSING],
    ids=str,
)
def test_call_that_fails_once_is_retried_and_recorded_once(
    shared_ledger: VenueTrust, proxy: Proxy, fault: Fault
) -> None:
    before = entries(shared_ledger.kit)
    proxy.fault_of = first(fault)
    result = run(shared_ledger.kit, "issue-token")
    assert result.code == 0, result.err
    proxy.clear_faults()
    assert entries(shared_ledger.kit) == before + 1
    shared_ledger.kit.done("ledger.verify")


@pytest.mark.parametrize("times", [1, pytest.param(50, marks=pytest.mark.soak)])
def test_truncated_record_is_reread_a_limited_time(shared_ledger: VenueTrust, proxy: Proxy, times: int) -> None:
    reads: list[str] = []

    def fault_of(operation: str) -> Fault | None:
        reads.extend([operation] * (operation == "GetObject"))
        # The first of them lists the bucket, which has no body that is streamed.
        return Fault.CUT_OFF if operation == "GetObject" and 1 < len(reads) <= 1 + times else None

    proxy.fault_of = fault_of
    result = run(shared_ledger.kit, "issue-token")
    assert result.code == (0 if times == 1 else 5), result.err
    assert proxy.played
    if times > 1:
        assert f"error: the ledger s3://{VENUE}-ledger/" in result.err
        assert "could not be reached for s3:GetObject" in result.err


def entries(kit: Kit) -> int:
    return len(kit.done("tokens", "--json").document()["tokens"])

"""Tokens are issued without one failure while the external ID is rotated and the venue is provisioned."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.functional.kit import emulated
from tests.functional.trust import VenueTrust


def issue_until(done: threading.Event, at_least: int, trust: VenueTrust, number: int) -> int:
    """Issue tokens and use each, again and again in processes of its own; how many."""
    bucket, users, count = f"{trust.venue}-data", ",".join(f"user{number}-{each}" for each in range(3)), 0
    while not done.is_set() or count < at_least:
        tokens = trust.kit.done("issue-token", "--user", users, "--venue", trust.venue).out.splitlines()
        assert len(tokens) == 3
        for token in tokens:
            session = trust.kit.session(json.loads(token))
            session.call("s3", "put_object", Bucket=bucket, Key=f"{number}/{count}", Body=b"used")
            count += 1
    return count


def run_beside(trust: VenueTrust, change: Callable[[], object], *, at_least: int, issuers: int = 4) -> int:
    """Have issuers at work for as long as ``change`` takes; how many tokens were issued and used."""
    done = threading.Event()
    with ThreadPoolExecutor(issuers) as pool:
        issuing = [pool.submit(issue_until, done, at_least // issuers, trust, number) for number in range(issuers)]
        try:
            change()
        finally:
            done.set()
        return sum(each.result() for each in issuing)


def rotate_and_provision(trust: VenueTrust, *, rotations: int) -> Callable[[], None]:
    """Rotations one after the other, and beside them a run of ``provision`` that changes the tags each time."""

    def rotating() -> None:
        for _ in range(rotations):
            # Where the other run changes the tags just now, a rotation would carry them along, and refuses to.
            result = trust.kit("rotate-external-id", "--venue", trust.venue)
            while result.code == 2 and "differs from the inventory" in result.err:
                result = trust.kit("rotate-external-id", "--venue", trust.venue)
            assert result.code == 0, result.err

    def provisioning() -> None:
        trust.kit.write_inventory({trust.venue: emulated(trust.venue, tags={"Run": "another"})})
        result = trust.kit.done("provision", "--venue", trust.venue, "--json")
        assert json.loads(result.out)["venues"][trust.venue]["change"] > 0

    def both() -> None:
        with ThreadPoolExecutor(2) as pool:
            for each in [pool.submit(rotating), pool.submit(provisioning)]:
                each.result()

    return both


def test_tokens_are_issued_and_used_during_a_rotation(trust: VenueTrust) -> None:
    assert run_beside(trust, partial(trust.kit.done, "rotate-external-id"), at_least=12, issuers=1) >= 12
    trust.check_stable()


@pytest.mark.soak
def test_tokens_are_issued_and_used_during_rotations_and_a_provision(trust: VenueTrust) -> None:
    assert run_beside(trust, rotate_and_provision(trust, rotations=2), at_least=200) >= 200
    trust.check_stable()


@pytest.mark.soak
def test_hundred_tokens_are_issued_during_a_rotation(trust: VenueTrust) -> None:
    users = ",".join(f"user{number}" for number in range(100))
    with trust.kit.start("rotate-external-id") as process:
        batches = []
        while process.poll() is None:
            batches.append(len(trust.kit.done("issue-token", "--user", users).out.splitlines()))
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                continue
        assert process.returncode == 0
    assert set(batches) == {100}
    trust.check_stable()


@pytest.mark.soak
def test_two_thousand_tokens_work_during_rotations(trust: VenueTrust) -> None:
    assert run_beside(trust, rotate_and_provision(trust, rotations=20), at_least=2000) >= 2000
    trust.check_stable()

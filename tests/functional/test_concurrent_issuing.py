"""Tokens are issued without one failure while the external ID is rotated and the venue is provisioned."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.functional.guard import Guard
from tests.functional.kit import Kit, emulated


def issue_until(done: threading.Event, at_least: int, guard: Guard, number: int) -> int:
    """Issue tokens and use each, again and again in processes of its own; how many."""
    bucket, users, count = f"{guard.venue}-data", ",".join(f"user{number}-{each}" for each in range(3)), 0
    while not done.is_set() or count < at_least:
        tokens = guard.kit.done("issue-token", "--user", users, "--venue", guard.venue).out.splitlines()
        assert len(tokens) == 3
        for token in tokens:
            session = guard.kit.session(json.loads(token))
            session.call("s3", "put_object", Bucket=bucket, Key=f"{number}/{count}", Body=b"used")
            count += 1
    return count


def run_beside(guard: Guard, change: Callable[[], object], *, at_least: int, issuers: int = 4) -> int:
    """Have issuers at work for as long as ``change`` takes; how many tokens were issued and used."""
    done = threading.Event()
    with ThreadPoolExecutor(issuers) as pool:
        issuing = [pool.submit(issue_until, done, at_least // issuers, guard, number) for number in range(issuers)]
        try:
            change()
        finally:
            done.set()
        return sum(each.result() for each in issuing)


def rotate_and_provision(guard: Guard, *, rotations: int) -> Callable[[], None]:
    """Rotations one after the other, and beside them a run of ``provision`` that changes the tags each time."""

    def rotating() -> None:
        for _ in range(rotations):
            # Where the other run changes the tags just now, a rotation would carry them along, and refuses to.
            result = guard.kit("rotate-external-id", "--venue", guard.venue)
            while result.code == 2 and "differs from the inventory" in result.err:
                result = guard.kit("rotate-external-id", "--venue", guard.venue)
            assert result.code == 0, result.err

    def provisioning() -> None:
        guard.kit.write_inventory({guard.venue: emulated(guard.venue, tags={"Run": "another"})})
        result = guard.kit.done("provision", "--venue", guard.venue, "--json")
        assert json.loads(result.out)["venues"][guard.venue]["change"] > 0

    def both() -> None:
        with ThreadPoolExecutor(2) as pool:
            for each in [pool.submit(rotating), pool.submit(provisioning)]:
                each.result()

    return both


@pytest.fixture
def guard(kit: Kit, venue: str) -> Guard:
    return Guard.provisioned(kit, venue)


def test_tokens_are_issued_and_used_during_a_rotation(guard: Guard) -> None:
    assert run_beside(guard, partial(guard.kit.done, "rotate-external-id"), at_least=12, issuers=1) >= 12
    guard.check_stable()


@pytest.mark.soak
def test_tokens_are_issued_and_used_during_rotations_and_a_provision(guard: Guard) -> None:
    assert run_beside(guard, rotate_and_provision(guard, rotations=2), at_least=200) >= 200
    guard.check_stable()


@pytest.mark.soak
def test_a_hundred_tokens_of_one_command_are_issued_during_a_rotation(guard: Guard) -> None:
    users = ",".join(f"user{number}" for number in range(100))
    with guard.kit.start("rotate-external-id") as process:
        batches = []
        while process.poll() is None:
            batches.append(len(guard.kit.done("issue-token", "--user", users).out.splitlines()))
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                continue
        assert process.returncode == 0
    assert set(batches) == {100}
    guard.check_stable()


@pytest.mark.soak
def test_two_thousand_tokens_are_issued_and_used_during_rotations(guard: Guard) -> None:
    assert run_beside(guard, rotate_and_provision(guard, rotations=20), at_least=2000) >= 2000
    guard.check_stable()

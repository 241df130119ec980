"""The time limit of a command: it holds in every thread, and what AWS gave is recorded all the same."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.docs import arguments_of
from tasks import namespace
from venue_access import times
from venue_access.errors import ConnectionFailed, UsageError
from venue_access.times import Deadline


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_call_returns_what_the_function_returns_and_raises_what_it_raises() -> None:
    limit = Deadline(60, "1m")
    assert limit.call("sts:AssumeRole", "AWS", lambda: 7) == 7
    with pytest.raises(KeyError, match="LOST"):
        limit.call("sts:AssumeRole", "AWS", lambda: os.environ["LOST"])


def test_endless_call_times_out_in_any_thread() -> None:
    limit, never, abandoned = Deadline(0.05, "50ms"), threading.Event(), threading.Event()

    def hang() -> None:
        never.wait(10)
        abandoned.set() if times.is_abandoned() else None

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(limit.call, "sts:AssumeRole", "https://aws.test", hang) for _ in range(3)]
        for each in waiting:
            with pytest.raises(ConnectionFailed) as caught:
                each.result()
    assert caught.value.message == (
        "https://aws.test did not answer sts:AssumeRole within the command's time limit of 50ms"
    )
    assert "--timeout sets another limit" in str(caught.value)
    never.set()
    assert abandoned.wait(5)  # so that botocore does not send it again


def test_no_call_after_the_deadline() -> None:
    clock, asked = Clock(), threading.Event()
    limit = Deadline(5, "5s", clock=clock)
    clock.now += 5
    with pytest.raises(ConnectionFailed, match="time limit of 5s"):
        limit.call("iam:GetRole", "AWS", asked.set)
    assert not asked.is_set()


def test_only_own_thread_records_after_the_deadline() -> None:
    clock = Clock()
    limit = Deadline(5, "5s", clock=clock)
    clock.now += 600
    with limit.extended():
        assert limit.call("s3:PutObject", "AWS", lambda: "written") == "written"
        with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionFailed):
            pool.submit(limit.call, "sts:AssumeRole", "AWS", lambda: "token").result()
    assert limit.remaining() < 0


def test_each_call_has_a_limit_without_a_deadline() -> None:
    assert times.current().remaining() == times.CALL_LIMIT
    with times.time_limit(3600, "1h"):
        assert times.current().remaining() == times.CALL_LIMIT
        with times.time_limit(30, "30s"):
            assert 0 < times.current().remaining() <= 30
    assert times.current().remaining() == times.CALL_LIMIT


def test_zero_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="--timeout 0m is too short"), times.time_limit(0, "0m"):
        pass


TERRAFORM = {"provision", "drift", "deprovision", "rotate-external-id", "state.migrate", "state.rm"}
"""Terraform has a limit of its own for each run, and what it does may take longer than a person waits for a token."""
NO_AWS = {
    *("account.list", "account.whoami", "account.unset", "account.profile", "operator-policy"),
    *("inventory.list", "inventory.host", "inventory.graph", "inventory.names", "inventory.check", "inventory.schema"),
    "inventory.init",
    *("local.up", "local.down", "local.status"),
}


@pytest.mark.parametrize("name", sorted(namespace.task_names))
def test_aws_commands_have_a_timeout(name: str) -> None:
    has_one = any(argument.name == "timeout" for argument in arguments_of(name))
    assert has_one is (name not in TERRAFORM | NO_AWS)

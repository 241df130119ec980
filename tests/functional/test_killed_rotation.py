"""A rotation that is killed at any of its writes leaves a venue that tokens are issued for, and is completed later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from itertools import groupby
from pathlib import Path

import pytest

from tests.functional.guard import FIRST, Guard
from tests.functional.kit import Kit, emulated
from tests.functional.proxy import Proxy

WRITES = ["UpdateAssumeRolePolicy", "PutParameter", "UpdateAssumeRolePolicy"]
"""What a rotation writes; that it is just this is tested below."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, work_directory: Path) -> Guard:
    """A venue that is provisioned once."""
    return Guard.provisioned(Kit(tmp_path_factory.mktemp("killed"), work_directory), "killed-dev")


@pytest.fixture
def guard(shared: Guard, proxy: Proxy) -> Guard:
    """It in its first state, reached through the proxy."""
    shared.reset()
    shared.kit.write_inventory({shared.venue: emulated(shared.venue, aws_endpoint_url=proxy.url)})
    return shared


def kill_at(number: int, guard: Guard, proxy: Proxy) -> None:
    """Rotate, and SIGKILL the kit when AWS has carried out a write and before the kit hears of it."""
    process = guard.kit.start("rotate-external-id")

    def kill(count: int, operation: str) -> None:
        if distinct(proxy.writes) == WRITES[:number]:
            os.kill(process.pid, signal.SIGKILL)

    proxy.forget()
    proxy.after_write = kill
    try:
        process.communicate(timeout=120)
    finally:
        process.kill()
        proxy.after_write = lambda count, operation: None
    assert process.returncode == -signal.SIGKILL


def distinct(writes: list[str]) -> list[str]:
    """The writes without those that the provider's SDK made again, as a busy machine makes it do."""
    return [operation for operation, _ in groupby(writes)]


def terraforms(folder: Path) -> list[str]:
    """The Terraforms and providers that run in a folder."""
    found = subprocess.run(["ps", "-eww", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    ours = []
    for line in found.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        try:
            at_work = Path(f"/proc/{pid}/cwd").resolve()
        except OSError:
            continue
        if "terraform" in command and at_work == folder:
            ours.append(line)
    return ours


def gone(folder: Path) -> bool:
    """Whether a killed kit's Terraform ends by itself: it saves its state first."""
    deadline = time.monotonic() + 30
    while terraforms(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.soak
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_rotation_that_is_killed_at_a_write_is_completed_by_the_next(number: int, guard: Guard, proxy: Proxy) -> None:
    kill_at(number, guard, proxy)
    token = guard.kit.done("issue-token", "--user", "alice").document()
    guard.kit.session(token).call("s3", "list_objects_v2", Bucket=f"{guard.venue}-data")
    published = guard.published()
    assert published in guard.accepted().values()
    assert gone(guard.kit.work_directory / "stacks" / guard.venue)

    proxy.forget()
    result = guard.kit.done("rotate-external-id", "--finish", "--json")
    assert json.loads(result.out)["complete"] is True
    assert distinct(proxy.writes) == WRITES[number:]  # what was done is not done again
    guard.check_stable(FIRST)


@pytest.mark.soak
@pytest.mark.parametrize("after", [0.3 * step for step in range(1, 41)])
def test_a_rotation_that_is_killed_at_any_moment_is_completed_by_the_next(after: float, guard: Guard) -> None:
    with guard.kit.start("rotate-external-id") as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
    guard.kit.done("issue-token", "--user", "alice")
    guard.kit.done("rotate-external-id")
    guard.check_stable(FIRST)
    assert gone(guard.kit.work_directory / "stacks" / guard.venue)

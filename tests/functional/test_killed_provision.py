"""A first run that is killed or stopped, at each of its writes to AWS, is completed by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.functional.kit import Kit, Result, emulated
from tests.functional.processes import left_in, working_in
from tests.functional.provisioning import REST, live_ids
from tests.functional.proxy import Proxy

WRITES = range(1, 7)
"""Of a fresh provision: the role, two policies, the parameter in changing order; then two attachments."""


def at(*quick: int) -> pytest.MarkDecorator:
    """At each write; all but the ``quick`` ones are for the soak."""
    return pytest.mark.parametrize(
        "number", [number if number in quick else pytest.param(number, marks=pytest.mark.soak) for number in WRITES]
    )


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def cut_short(kit: Kit, venue: str, proxy: Proxy, number: int, how: Callable[[subprocess.Popen[str]], None]) -> Result:
    """Run ``provision``, and do something to it when AWS has carried out a write."""
    kit.write_inventory({venue: emulated(venue, aws_endpoint_url=proxy.url)})
    kit.done("local.up")

    def meddle(write: int, operation: str) -> None:
        if write == number:
            how(process)

    with kit.start("provision") as process:
        proxy.after_write = meddle
        out, err = process.communicate(timeout=120)
    proxy.after_write = lambda write, operation: None
    assert left_in(kit.work_directory / "stacks" / venue) == {}
    return Result(process.returncode, out, err)


def completes(kit: Kit, venue: str) -> None:
    """The next run ends right, and one more has nothing to do."""
    ids = live_ids(kit, venue)
    result = kit.done("provision")
    assert f"{venue} : ok=9 " in result.out
    assert result.out.endswith(f"{REST}\n")
    assert ids <= live_ids(kit, venue)  # an ID that was published is kept


def kill_terraform(folder_of: Kit, venue: str) -> None:
    """Terraform itself, but neither its provider nor the watchdog."""
    for number, command in working_in(folder_of.work_directory / "stacks" / venue).items():
        if "apply" in command and "/bin/sh" not in command:
            os.kill(number, signal.SIGKILL)


@at(5)
def test_killed_kit_leaves_no_terraform_and_next_run_completes(kit: Kit, venue: str, proxy: Proxy, number: int) -> None:
    killed = cut_short(kit, venue, proxy, number, lambda process: process.kill())
    assert killed.code == -signal.SIGKILL
    completes(kit, venue)


@at()
def test_killed_terraform_is_reported_and_next_run_completes(kit: Kit, venue: str, proxy: Proxy, number: int) -> None:
    killed = cut_short(kit, venue, proxy, number, lambda process: kill_terraform(kit, venue))
    assert killed.code == 4
    assert killed.err.endswith("terraform apply was killed (signal 9)\n  run the command again\n")
    completes(kit, venue)


@at()
def test_killed_kit_and_terraform_leave_no_provider(kit: Kit, venue: str, proxy: Proxy, number: int) -> None:
    def kill_both(process: subprocess.Popen[str]) -> None:
        kill_terraform(kit, venue)
        process.kill()

    assert cut_short(kit, venue, proxy, number, kill_both).code == -signal.SIGKILL
    completes(kit, venue)


@at()
def test_ctrl_c_lets_terraform_save_its_state(kit: Kit, venue: str, proxy: Proxy, number: int) -> None:
    stopped = cut_short(kit, venue, proxy, number, lambda process: os.killpg(process.pid, signal.SIGINT))
    assert stopped.code == 130
    assert f"error: stack {venue}: interrupted\n  run the command again" in stopped.err
    assert stopped.out.startswith(f"{venue} : ok=")
    assert "failed=1" in stopped.out
    assert "Traceback" not in stopped.err
    assert not (kit.work_directory / "stacks" / venue / "plan.tfplan").exists()
    completes(kit, venue)

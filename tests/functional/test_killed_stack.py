"""A run on a stack of three that is killed at any of its writes to AWS is completed by the next: for the soak."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.functional.kit import Kit, emulated, new_venue
from tests.functional.processes import left_in, working_in
from tests.functional.provisioning import REST, live_ids
from tests.functional.proxy import Proxy

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

Kill = Callable[[subprocess.Popen[str], Kit, str], None]


def kill_kit(process: subprocess.Popen[str], kit: Kit, stack: str) -> None:
    process.kill()


def kill_terraform(process: subprocess.Popen[str], kit: Kit, stack: str) -> None:
    for number, command in working_in(kit.work_directory / "stacks" / stack).items():
        if "apply" in command and "/bin/sh" not in command:
            os.kill(number, signal.SIGKILL)


def kill_all(process: subprocess.Popen[str], kit: Kit, stack: str) -> None:
    """The kit first: its watchdog is in Terraform's process group."""
    groups = {os.getpgid(number) for number in working_in(kit.work_directory / "stacks" / stack)}
    process.kill()
    for group in groups - {os.getpgid(0)}:
        os.killpg(group, signal.SIGKILL)


KILLS = pytest.mark.parametrize("kill", [kill_kit, kill_terraform, kill_all])


class Trio:
    """Three venues of one stack behind a proxy."""

    def __init__(self, kit: Kit, proxy: Proxy) -> None:
        self.kit, self.proxy = kit, proxy
        self.names = [new_venue() for _ in range(3)]
        self.stack = f"stack-{self.names[0]}"
        self.write()
        kit.done("local.up")

    def write(self, **variables: Any) -> None:
        shared = {"stack": self.stack, "aws_endpoint_url": self.proxy.url, **variables}
        self.kit.write_inventory({name: emulated(name, **shared) for name in self.names})

    def killed_at(self, number: int, kill: Kill) -> bool:
        """Provision, and kill when AWS has carried out that write; whether there was one."""
        self.proxy.forget()

        def meddle(write: int, operation: str) -> None:
            if write == number:
                kill(process, self.kit, self.stack)

        with self.kit.start("provision", "--limit", "all") as process:
            self.proxy.after_write = meddle
            process.communicate(timeout=180)
        self.proxy.after_write = lambda write, operation: None
        assert left_in(self.kit.work_directory / "stacks" / self.stack) == {}
        return process.returncode != 0

    def completes(self) -> None:
        ids = live_ids(self.kit, *self.names)
        assert self.kit.done("provision", "--limit", "all").out.count(" : ok=9 ") == 3
        assert ids <= live_ids(self.kit, *self.names), "an ID that was published is kept"
        assert self.kit.done("provision", "--limit", "all").out.count(f" : ok=9 changed=0 {REST}") == 3


@pytest.fixture
def trio(kit: Kit, proxy: Proxy) -> Trio:
    return Trio(kit, proxy)


@KILLS
@pytest.mark.parametrize("number", range(1, 19))
def test_fresh_stack_is_completed_after_a_kill(trio: Trio, number: int, kill: Kill) -> None:
    assert trio.killed_at(number, kill)
    trio.completes()


@KILLS
@pytest.mark.parametrize("number", range(1, 13))
def test_changed_stack_is_completed_after_a_kill(trio: Trio, number: int, kill: Kill) -> None:
    trio.kit.done("provision", "--limit", "all")
    ids = live_ids(trio.kit, *trio.names)
    trio.write(tags={"Team": "ops"})
    assert trio.killed_at(number, kill)
    trio.completes()
    assert live_ids(trio.kit, *trio.names) == ids

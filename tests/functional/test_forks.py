"""Stacks side by side: what one does is not the others' matter, and Ctrl-C reaches all."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.functional.kit import Kit, emulated, new_venue
from tests.functional.proxy import Proxy


@pytest.mark.soak
def test_failed_venues_can_be_retried(kit: Kit, proxy: Proxy) -> None:
    good, bad = new_venue(), new_venue()
    hosts = {good: emulated(good), bad: emulated(bad, aws_endpoint_url=proxy.url)}
    kit.write_inventory(hosts)
    proxy.refusals = {"CreateRole": ("LimitExceeded", "Cannot exceed quota for RolesPerAccount")}
    result = kit("provision", "--limit", "all", "--forks", "2")
    assert result.code == 4, result.err
    assert [line.split()[5] for line in result.out.splitlines()] == ["failed=0", "failed=1"]
    printed = result.err.splitlines()
    mine = [number for number, line in enumerate(printed) if line.startswith(good)]
    assert mine == list(range(mine[0], mine[-1] + 1)), "what belongs to one stack comes together"
    again = result.err.partition("--limit ")[2].split()[0]
    proxy.refusals = {}
    result = kit.done("provision", "--limit", again)
    assert result.out.startswith(f"{bad} : ok=9")
    assert len(result.out.splitlines()) == 1


def test_ctrl_c_stops_every_stack_and_names_unstarted_ones(kit: Kit, proxy: Proxy) -> None:
    hosts = sorted(new_venue() for _ in range(3))  # as they are written into the inventory
    kit.write_inventory({name: emulated(name, aws_endpoint_url=proxy.url) for name in hosts})
    with kit.start("provision", "--limit", "all", "--forks", "2") as process:
        writing = threading.Event()

        def interrupt(number: int, operation: str) -> None:
            if not writing.is_set():
                writing.set()
                os.killpg(process.pid, signal.SIGINT)

        proxy.after_write = interrupt
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.count(": interrupted\n  run the command again") == 2
    assert f"error: stack {hosts[2]}: interrupted before it began" in err
    assert [line.split()[5] for line in out.splitlines()] == ["failed=1"] * 3
    assert (kit.work_directory / "failed").read_text(encoding="utf-8").split() == hosts

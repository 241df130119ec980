"""Ctrl-C, SIGTERM, SIGHUP and a closed pipe while tokens are issued: every token is recorded, and named if lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.functional.faults import Fault
from tests.functional.kit import CHECKOUT, Kit
from tests.functional.ledgers import alone, lines, sessions, through
from tests.functional.proxy import Proxy

USERS = [f"person{number:02d}" for number in range(24)]


@pytest.fixture
def kit(provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path) -> Kit:
    """The provisioned venue through a proxy that is slow to hand over AWS's answer to AssumeRole."""
    proxy.fault_of = lambda operation: Fault.SLOW if operation == "AssumeRole" else None
    return through(proxy, alone(provisioned, tmp_path))


def wait_for(proxy: Proxy, count: int) -> None:
    deadline = time.monotonic() + 60
    while proxy.calls.count("AssumeRole") < count:
        assert time.monotonic() < deadline, proxy.calls
        time.sleep(0.02)


def recorded(kit: Kit) -> set[str]:
    return {line["role_session_name"] for line in lines(kit) if line["kind"] == "issue"}


def named(err: str) -> set[str]:
    """The tokens that a message names as lost, each with what revokes it."""
    found = set(re.findall(r"the token (\S+) of shared-dev was issued but not delivered: ", err))
    assert found == set(re.findall(r"invoke revoke-token --venue shared-dev --session (\S+)", err))
    return found


def check_all_accounted_for(kit: Kit, proxy: Proxy, out: str, err: str) -> None:
    """Each token that AWS gave is recorded, and either shown or named."""
    assert proxy.calls.count("AssumeRole") == len(recorded(kit))
    assert sessions(out) | named(err) == recorded(kit)
    assert not sessions(out) & named(err)
    assert "Traceback" not in err


@pytest.mark.parametrize("users", [["alice"], USERS[:3], USERS], ids=["one", "three", "more than threads"])
def test_ctrl_c_during_responses_records_every_token(users: list[str], kit: Kit, proxy: Proxy) -> None:
    with kit.start("issue-token", "--user", ",".join(users)) as process:
        wait_for(proxy, min(len(users), 16))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "waiting for AWS to answer, so that every token is recorded" in err
    check_all_accounted_for(kit, proxy, out, err)
    assert len(named(err)) == min(len(users), 16)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_signal_is_handled_like_ctrl_c(number: signal.Signals, kit: Kit, proxy: Proxy) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # under nohup the tests ignore SIGHUP, and what they start
    try:
        process = kit.start("issue-token", "--user", "alice,bob")
    finally:
        signal.signal(number, before)
    with process:
        wait_for(proxy, 2)
        for _ in range(2):  # a terminal that closes may send it twice
            os.killpg(process.pid, number)
            time.sleep(0.2)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    check_all_accounted_for(kit, proxy, out, err)
    assert len(named(err)) == 2


def test_closed_pipe_after_first_token_names_undelivered_tokens(kit: Kit, proxy: Proxy) -> None:
    proxy.slowness = 0.5
    users = [f"person{number:02d}" for number in range(80)]  # far more than there are threads
    with kit.start("issue-token", "--user", ",".join(users)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(60)
    assert process.returncode == 0, err
    assert "warning: the token " in err
    # What went into the pipe before it was closed has been handed over: no writer can know that it was not read.
    first_named = min(named(err))
    in_the_pipe = {each for each in recorded(kit) - sessions(out) - named(err) if each < first_named}
    assert sessions(out) | in_the_pipe | named(err) == recorded(kit)
    assert proxy.calls.count("AssumeRole") == len(recorded(kit))
    assert len(recorded(kit)) < len(users)  # whom nobody would hear of are not served


def test_ctrl_c_in_credential_process(kit: Kit, proxy: Proxy) -> None:
    program = str(Path(sys.executable).with_name("venue-access-credentials"))
    environment = {**kit.environment, "XDG_CACHE_HOME": str(kit.folder / "cache")}
    with subprocess.Popen(
        [program, "--venue", "shared-dev", "--user", "alice"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(proxy, 1)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    check_all_accounted_for(kit, proxy, out, err)
    assert len(named(err)) == 1

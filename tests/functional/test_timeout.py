"""``--timeout``: a server that never comes to an end is given up, and what AWS gave before is recorded."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.functional.kit import Kit, emulated
from tests.functional.proxy import Proxy
from tests.functional.test_not_aws import LEDGER, Impostor, away, impostor

__all__ = ["impostor"]
COMMANDS = (
    "issue-token --user alice,bob --external-id in-a-ticket",
    "status",
    "issue-token --user alice",
    "verify",
    "revoke-token --user alice",
    "tokens",
    "ledger.verify",
    "ledger.head",
    "state.force-unlock --venue away-dev --lock 0",
)
QUICK = ("status", "issue-token --user alice,bob --external-id in-a-ticket")


@pytest.fixture
def dripping(impostor: Impostor) -> Impostor:
    """A server that sends a byte every half second: no read timeout is ever reached."""
    impostor.answer, impostor.drip = (200, b"<" * 100_000), 0.5
    impostor.headers = {"x-amz-request-id": "0123456789ABCDEF"}
    return impostor


@pytest.mark.parametrize(
    "command", [each if each in QUICK else pytest.param(each, marks=pytest.mark.soak) for each in COMMANDS]
)
def test_slow_server_times_out(kit: Kit, dripping: Impostor, command: str) -> None:
    state = {"backend": "s3", "bucket": "the-state", "region": "us-west-2"}
    away(kit, dripping.url, state=state, **({} if "external-id" in command else {"ledger": LEDGER}))
    result = kit(*command.split(), "--timeout", "2s", timeout=60)
    assert result.code == 5, (result.out, result.err)
    assert f"{dripping.url} did not answer " in result.err
    assert "within the command's time limit of 2s\n  check the network" in result.err
    assert "Traceback" not in result.err


def test_process_of_a_profile_times_out(kit: Kit, dripping: Impostor) -> None:
    away(kit, dripping.url)
    program = Path(sys.executable).with_name("venue-access-credentials")
    command = [str(program), "--venue", "away-dev", "--timeout", "2s", "--inventory", str(kit.inventory)]
    command += ["--user", "alice", "--workdir", str(kit.work_directory)]
    done = subprocess.run(command, env=kit.environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (5, "")
    assert "within the command's time limit of 2s" in done.stderr


def test_doctor_names_unreachable_endpoint(kit: Kit, dripping: Impostor) -> None:
    away(kit, dripping.url)
    result = kit("doctor", "--json", "--timeout", "2s", timeout=60)
    assert result.code == 7
    assert "within the command's time limit of 2s" in result.out


@pytest.mark.parametrize("given", ["0", "0m", "", "soon", "-5m", "5 m", "1.5h", "5m30"])
def test_invalid_timeout_is_refused_before_any_call(kit: Kit, impostor: Impostor, given: str) -> None:
    away(kit, impostor.url)
    result = kit("status", f"--timeout={given}")
    assert (result.code, result.out) == (2, "")
    assert f"error: --timeout {given}".rstrip() in result.err or f"error: --timeout {given!r}" in result.err
    assert impostor.requests == []


def test_issued_token_is_recorded_after_timeout(provisioned: tuple[Kit, str], tmp_path: Path, proxy: Proxy) -> None:
    shared, venue = provisioned
    kit = Kit(tmp_path, shared.work_directory)
    ledger = {"s3": {"bucket": "late-ledger"}}
    kit.write_inventory({venue: emulated(venue, aws_endpoint_url=proxy.url, ledger=ledger)})

    def hold_up_the_record(operation: str) -> None:
        if operation == "S3:PUT" and proxy.calls.count("AssumeRole") == 2:
            time.sleep(7)  # longer than the limit, and less than botocore waits for an answer

    kit.done("local.up")
    proxy.before_call = hold_up_the_record
    token = kit.done("issue-token", "--user", "alice", "--timeout", "6s").document()
    proxy.before_call = lambda operation: None
    recorded = json.loads(kit.done("tokens", "--json").out)["tokens"]
    assert [each["access_key_id"] for each in recorded] == [token["Credentials"]["AccessKeyId"]]

"""``invoke deprovision``: takes a venue away, but for its bucket."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, CHECKOUT, Kit, emulated
from tests.functional.processes import left_in
from tests.functional.provisioning import REST, parameter_of, role_of
from tests.functional.proxy import Proxy


def is_gone(kit: Kit, venue: str) -> bool:
    root, policy = kit.root(), f"arn:aws:iam::{ACCOUNT}:policy/{role_of(venue)}"
    return (
        root.role(role_of(venue)) is None
        and root.parameter(parameter_of(venue)) is None
        and not any(root.managed_policy_exists(f"{policy}-{service}") for service in ("s3", "ecr"))
    )


def test_confirmed_venue_is_destroyed_without_its_bucket(provisioned_copy: tuple[Kit, str]) -> None:
    kit, venue = provisioned_copy
    kit.root().call("s3", "put_object", Bucket=f"{venue}-data", Key="kept", Body=b"x")

    unconfirmed = kit("deprovision", "--venue", venue)
    assert (unconfirmed.code, unconfirmed.out) == (2, "")
    assert "--yes" in unconfirmed.err
    mistyped = at_a_terminal(kit, "no", "deprovision", "--venue", venue)
    assert mistyped.returncode == 2
    assert f"Type {venue} to confirm" in mistyped.stderr
    assert not is_gone(kit, venue)

    confirmed = at_a_terminal(kit, venue, "deprovision", "--venue", venue)
    assert confirmed.returncode == 0, confirmed.stderr
    assert confirmed.stdout == f"{venue}: 6 resources destroyed\n"
    assert is_gone(kit, venue)
    assert kit.root().call("s3", "get_object", Bucket=f"{venue}-data", Key="kept")["ContentLength"] == 1
    assert not (kit.work_directory / "stacks" / venue).exists()
    assert not (kit.work_directory / "facts" / f"{venue}.json").exists()

    again = kit.done("deprovision", "--venue", venue, "--yes")
    assert again.out == f"{venue}: nothing to destroy\n"


def at_a_terminal(kit: Kit, typed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    try:
        return subprocess.run(
            [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *arguments],
            stdin=theirs,
            capture_output=True,
            text=True,
            cwd=kit.folder,
            env=kit.environment,
            timeout=120,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_venue_whose_state_is_lost_is_not_partly_destroyed(provisioned_copy: tuple[Kit, str]) -> None:
    kit, venue = provisioned_copy
    state = kit.work_directory / "stacks" / venue / "terraform.tfstate"
    part = json.loads(state.read_text())
    part["resources"] = [each for each in part["resources"] if each["type"] == "aws_ssm_parameter"]
    state.write_text(json.dumps(part))  # as a run leaves it that was killed before it could write what it had made
    partly = kit("deprovision", "--venue", venue, "--yes")
    assert partly.code == 2
    assert "aws_iam_role.this, aws_iam_policy.this" in partly.err
    assert kit.root().parameter(parameter_of(venue)) is not None

    shutil.rmtree(kit.work_directory / "stacks" / venue)
    lost = kit("deprovision", "--venue", venue, "--yes")
    assert lost.code == 2
    assert f"import it first with: invoke provision --venue {venue}" in lost.err
    assert not is_gone(kit, venue)


@pytest.mark.soak
def test_killed_deprovision_is_completed_by_the_next(kit: Kit, venue: str, proxy: Proxy) -> None:
    kit.write_inventory({venue: emulated(venue, aws_endpoint_url=proxy.url)})
    kit.done("provision")
    proxy.forget()
    with kit.start("deprovision", "--venue", venue, "--yes") as process:
        proxy.after_write = lambda number, operation: process.kill() if number == 3 else None
        process.communicate(timeout=120)
    proxy.after_write = lambda number, operation: None
    assert left_in(kit.work_directory / "stacks" / venue) == {}
    assert "resources destroyed" in kit.done("deprovision", "--venue", venue, "--yes").out
    assert is_gone(kit, venue)


@pytest.mark.soak
def test_every_command_uses_s3_state(kit: Kit, venue: str) -> None:
    state: dict[str, Any] = {"backend": "s3", "bucket": f"{venue}-state", "key_prefix": "venues/"}
    kit.write_inventory({venue: emulated(venue, state=state)})
    assert kit.done("provision").out == f"{venue} : ok=9 changed=6 {REST}\n"
    objects = kit.root().call("s3", "list_objects_v2", Bucket=f"{venue}-state")["Contents"]
    assert [each["Key"] for each in objects] == [f"venues/{venue}/terraform.tfstate"]
    version = objects[0]["ETag"]
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"
    (unchanged,) = kit.root().call("s3", "list_objects_v2", Bucket=f"{venue}-state")["Contents"]
    assert unchanged["ETag"] == version

    shutil.rmtree(kit.work_directory / "stacks" / venue)  # as on a colleague's machine
    assert kit.done("deprovision", "--venue", venue, "--yes").out == f"{venue}: 6 resources destroyed\n"
    assert is_gone(kit, venue)

from __future__ import annotations

from pathlib import Path

import pytest

from venue_access.errors import StateLocked, UsageError
from venue_access.provisioning.stack import StateResources, resources_in
from venue_access.provisioning.terraform import Change, Plan, Terraform

ROLE = 'module.venue["unity-dev"].aws_iam_role.this'


def test_tainted_resource_is_updated_and_not_replaced() -> None:
    role = {"module": 'module.venue["unity-dev"]', "mode": "managed", "type": "aws_iam_role", "name": "this"}
    found = resources_in({"resources": [{**role, "instances": [{"status": "tainted"}]}]})
    assert found == StateResources(frozenset([ROLE]), frozenset([ROLE]))
    other = Change("aws_iam_role.other", "replace")
    plan = Plan(Path("plan.tfplan"), (Change(ROLE, "replace"), other))
    assert plan.untainted(found.tainted).changes == (Change(ROLE, "update"), other)


def test_missing_terraform_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no-such-terraform is not on the PATH\n  set it up with: scripts/bootstrap"):
        Terraform(tmp_path, program="no-such-terraform", environment=dict, venue="unity-dev")


def test_wait_for_a_lock_is_reported_once_and_ends_after_the_timeout(tmp_path: Path) -> None:
    program = tmp_path / "terraform"
    held = "Error: Error acquiring the state lock\\n\\nLock Info:\\n  ID: 5f1c\\n  Who: ana@issuer\\n"
    program.write_text(f"#!/bin/sh\necho x >>asked\nprintf '{held}'\nexit 1\n")
    program.chmod(0o755)
    waits: list[str] = []
    terraform = Terraform(tmp_path, str(program), lambda: {"PATH": "/bin:/usr/bin"}, "unity-dev", on_wait=waits.append)
    terraform.lock_timeout = 0.01
    with pytest.raises(StateLocked, match="is locked by ana@issuer"):
        terraform.plan()
    assert [wait.rpartition("; ")[2] for wait in waits] == ["waiting"]
    assert (tmp_path / "asked").read_text() == "x\nx\n"
    terraform.lock_timeout = 0
    with pytest.raises(StateLocked):
        terraform.plan()
    assert len(waits) == 1

"""Drift, and the Ansible inventory of what is provisioned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.functional.kit import ACCOUNT, CHECKOUT, Kit, emulated, new_venue


def test_drift_by_attribute_and_provisioned_inventory(
    provisioned_copy: tuple[Kit, str],
) -> None:
    kit, there = provisioned_copy
    absent = new_venue()
    kit.write_inventory({there: emulated(there, tags={"Team": "ops"}), absent: emulated(absent)})
    role = f"unity-{there}-sts"
    kit.root().call("iam", "tag_role", RoleName=role, Tags=[{"Key": "Team", "Value": "by-hand"}])

    drifted = kit("drift", "--venue", there)
    assert drifted.code == 7, drifted.err
    lines = drifted.out.splitlines()
    assert lines[0] == f"{there}  differs"
    assert "    ~ aws_iam_role.this" in lines
    assert any("by-hand" in line and "ops" in line for line in lines)
    bin_folder = Path(sys.executable).parent
    listed = subprocess.run(
        [bin_folder / "ansible", "-i", CHECKOUT / "scripts" / "inventory", "all", "--list-hosts"],
        capture_output=True,
        text=True,
        check=False,
        env={**kit.environment, "HOME": str(kit.folder), "ANSIBLE_LOCALHOST_WARNING": "false"},
    )
    assert listed.stdout.split() == ["hosts", "(1):", there], listed.stderr
    hostvars = json.loads(kit.done("inventory.provisioned", "--host", there).out)
    assert hostvars["venue_role_arn"] == f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert hostvars["ansible_connection"] == "local"
    assert hostvars["s3_buckets"] == hostvars["venue_s3_buckets"] == [f"{there}-data"]

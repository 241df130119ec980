"""What goes wrong in the real Terraform comes back as one short message with a remedy."""

from __future__ import annotations

import fcntl
import json
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, CHECKOUT, Kit, emulated, new_venue
from tests.functional.provisioning import REST
from tests.functional.proxy import Proxy
from venue_access.app import App as OurKit
from venue_access.config import Settings
from venue_access.errors import TerraformError
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.stack import group_into_stacks

HELD = {
    "ID": "5f1c88aa-0000-1111-2222-333344445555",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "ana@issuer",
    "Version": "1.11.4",
    "Created": "2026-11-20T22:15:08.123Z",
    "Path": "terraform.tfstate",
}


def the_root(kit: Kit, name: str) -> RootModule:
    settings = Settings(kit.inventory, kit.work_directory, CHECKOUT)
    ours = OurKit.open(settings)
    (stack,) = group_into_stacks(ours.venues.values())
    return RootModule(settings, stack, ours.aws(ours.venues[name]), lock_timeout=0)


def test_lock_error_names_holder_time_and_remedy(kit: Kit, venue: str) -> None:
    kit.done("provision", "--check")
    root = the_root(kit, venue)
    (root.folder / ".terraform.tfstate.lock.info").write_text(json.dumps(HELD))
    with (root.folder / "terraform.tfstate").open("w") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)
        with pytest.raises(TerraformError) as told:
            root.terraform().plan()
    assert (
        told.value.message == f"{venue}: the Terraform state is locked by ana@issuer since 2026-11-20 22:15 UTC (apply)"
    )
    assert f"invoke state.force-unlock --venue {venue} --lock {HELD['ID']}" in str(told.value)


@pytest.mark.soak
def test_s3_lock_error_names_holder(kit: Kit, venue: str) -> None:
    kit.write_inventory({venue: emulated(venue, state={"backend": "s3", "bucket": f"{venue}-state"})})
    kit.done("provision", "--check")
    key = f"{venue}/terraform.tfstate.tflock"
    kit.root().call("s3", "put_object", Bucket=f"{venue}-state", Key=key, Body=json.dumps(HELD).encode())
    with pytest.raises(TerraformError) as told:
        the_root(kit, venue).terraform().plan()
    assert "is locked by ana@issuer since 2026-11-20 22:15 UTC" in told.value.message
    assert HELD["ID"] in str(told.value)


def test_unreadable_s3_state_error_has_no_colours(kit: Kit, venue: str) -> None:
    state = {"backend": "s3", "bucket": f"{venue}-state"}
    kit.write_inventory({venue: emulated(venue, state=state)})
    kit.done("provision", "--check")
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{venue}-state/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    operator: dict[str, Any] = {"RoleName": "venue-access-operator", "PolicyName": f"{venue}-deny"}
    kit.root().call("iam", "put_role_policy", **operator, PolicyDocument=policy)
    with pytest.raises(TerraformError) as told:
        the_root(kit, venue).terraform().state()
    kit.root().call("iam", "delete_role_policy", **operator)
    assert told.value.message.startswith(f"{venue}: AWS refused s3:")
    assert "\x1b" not in told.value.message


@pytest.mark.soak
def test_refused_venue_is_named_and_sibling_completes(kit: Kit, proxy: Proxy) -> None:
    """The sibling's attachments are made before the proxy begins to refuse."""
    one, other = new_venue(), new_venue()
    shared = {"stack": f"stack-{one}", "aws_endpoint_url": proxy.url}
    kit.write_inventory({name: emulated(name, **shared) for name in (one, other)})
    kit.done("provision", "--venue", other)
    proxy.refusals = {"AttachRolePolicy": ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")}

    result = kit("provision", "--limit", "all")
    assert result.code == 4
    assert f"{other} : ok=9 changed=0 {REST}" in " ".join(result.out.split())
    assert "failed=1" in result.out
    attachments = 'aws_iam_role_policy_attachment.this["'
    assert f"error: {one}: {attachments}" in result.err
    assert "AWS refused iam:AttachRolePolicy (LimitExceeded): Cannot exceed quota for PoliciesPerRole: 10" in result.err
    assert "  the role has no room for more policies: detach one, or raise the quota\n" in result.err
    assert result.err.count("LimitExceeded") == 1


def test_missing_permission_is_named_with_policy(kit: Kit, venue: str) -> None:
    kit.done("local.up")
    operator = "venue-access-operator"
    document = {
        "Effect": "Deny",
        "Action": "iam:CreateRole",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/unity-{venue}-sts",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [document]})
    root = kit.root()
    root.call("iam", "put_role_policy", RoleName=operator, PolicyName=f"no-{venue}", PolicyDocument=policy)
    try:
        result = kit("provision")
    finally:
        root.call("iam", "delete_role_policy", RoleName=operator, PolicyName=f"no-{venue}")
    assert result.code == 4
    assert f"error: {venue}: aws_iam_role.this: AWS does not allow iam:CreateRole" in result.err
    assert len([line for line in result.err.splitlines() if line.startswith("error:")]) == 1
    assert "ok=3 changed=3 unreachable=0 failed=1" in result.out

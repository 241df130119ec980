"""The policy that ``invoke operator-policy`` prints is what an operator needs: no action is missing, none too many."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, Kit, emulated
from tests.functional.ledgers import AGE
from tests.functional.provisioning import emulated_as_if_real, environment, role_of
from tests.functional.proxy import Proxy
from tests.functional.test_import import make_by_hand


def actions(policy: dict[str, Any]) -> set[str]:
    return {action.split(":")[1] for statement in policy["Statement"] for action in statement["Action"]}


@pytest.mark.soak
def test_provisioner_policy_matches_calls(kit: Kit, venue: str, proxy: Proxy) -> None:
    """The emulator's operator may do just what the policy says, so that an action that is missing fails a command."""
    plain = {"aws_endpoint_url": proxy.url, "s3_buckets": [f"{venue}-data"]}
    changed = {**plain, "tags": {"Team": "ops"}, "max_session_duration": 7200, "s3_allow_delete": True}
    bounded = {**changed, "permissions_boundary": "zsmce-tenantOperator-AMI-APIG"}
    kit.write_inventory({venue: emulated(venue, **bounded)})
    kit.done("local.up")
    make_by_hand(kit, venue)
    deny = {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    kit.root().call("iam", "create_policy", PolicyName=f"{role_of(venue)}-s3", PolicyDocument=document)
    for variables in (bounded, plain):  # imported, with everything; and everything taken back
        kit.write_inventory({venue: emulated(venue, **variables)})
        kit.done("provision")
    kit.done("deprovision", "--venue", venue, "--yes")
    kit.done("provision")  # fresh
    revoked = kit.done("revoke-token", "--venue", venue, "--all", "--json").document()
    assert revoked["proved"]
    kit.done("revoke-token", "--venue", venue, "--undo", revoked["revoked"]["name"])
    kit.done("external-id.send", "--user", "alice", "--recipient", AGE, "--out", str(kit.folder / "encrypted"))
    kit.done("rotate-external-id", "--grace", "1h")
    assert "an old external ID is held by alice" in kit.done("status").out

    policy = kit.done("operator-policy", "--venue", venue).document()
    asked_of_everybody = {"GetCallerIdentity"}  # needs no permission (AWS STS API reference)
    asked_with_a_token = {"ListImages"}  # whether it is denied
    assert set(proxy.calls) - asked_of_everybody - asked_with_a_token == actions(policy)


def test_issuer_policy_allows_only_issuing(kit: Kit) -> None:
    venue, root = "open-dev", kit.root()
    kit.write_inventory({venue: emulated_as_if_real(kit, venue, users={"alice": None})})
    policy = kit.done("operator-policy", "--venue", venue, "--issue-only").document()
    assert actions(policy) == {"GetParameter", "AssumeRole"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
    issuer = f"issuer-{venue}"
    root.call("iam", "create_role", RoleName=issuer, AssumeRolePolicyDocument=json.dumps(trust))
    root.call("iam", "put_role_policy", RoleName=issuer, PolicyName="issuer", PolicyDocument=json.dumps(policy))
    keys = root.assume_role(f"arn:aws:iam::{ACCOUNT}:role/{issuer}", "issuer").credentials

    issued = kit.done("issue-token", "--user", "alice", **environment(kit, keys))
    assert role_of(venue) in issued.document()["AssumedRoleUser"]["Arn"]
    scoped = kit.done("issue-token", "--user", "alice", "--s3-prefix", "incoming", **environment(kit, keys))
    assert "scoped to: S3 incoming/" in scoped.err
    unverified = kit("verify", typed="", timeout=300, **environment(kit, keys))
    assert (unverified.code, unverified.out) == (5, "")
    assert f"verify needs the permissions of: invoke operator-policy --venue {venue}" in unverified.err
    refused = kit("provision", typed="", timeout=300, **environment(kit, keys))
    assert refused.code == 5
    assert "AWS refused iam:GetRole" in refused.err

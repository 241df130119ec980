"""Provisioned venues as AWS has them, and operators with credentials of their own."""

from __future__ import annotations

import json
from typing import Any

from tests.functional.kit import ACCOUNT, Kit, emulated
from venue_access.aws.client import Credentials
from venue_access.emulator.server import aws_emulator
from venue_access.inventory.model import emulator_operator_arn

REST = "unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/venue-boundary"


def role_of(name: str) -> str:
    return f"unity-{name}-sts"


def parameter_of(name: str) -> str:
    return f"/unity/{name.replace('-', '/')}/cs/sts/role/external-id"


def live_ids(kit: Kit, *names: str) -> set[str]:
    found = [kit.root().parameter(parameter_of(name)) for name in names]
    return {each.value.reveal() for each in found if each is not None}


def serial(kit: Kit, stack: str) -> int:
    state = json.loads((kit.work_directory / "stacks" / stack / "terraform.tfstate").read_text())
    return int(state["serial"])


def iam_documents(kit: Kit, name: str) -> dict[str, Any]:
    """Everything of a venue that IAM and SSM hold."""
    root, role = kit.root(), role_of(name)
    policies = {
        arn: root.call("iam", "list_policy_versions", PolicyArn=arn)["Versions"]
        for arn in sorted(root.attached_policies(role))
    }
    tags = root.call("iam", "list_role_tags", RoleName=role)["Tags"]
    parameter = root.parameter(parameter_of(name))
    assert parameter is not None
    return {"role": root.role(role), "policies": policies, "tags": tags, "version": parameter.version}


def emulated_as_if_real(kit: Kit, name: str, **variables: Any) -> dict[str, Any]:
    """A venue that the kit takes for one on real AWS: the operator brings the keys."""
    made = emulated(name, **variables)
    kit.write_inventory({name: made})
    kit.done("local.up")  # makes the bucket, and the operator's role and its rights
    del made["emulator"]
    made["aws_endpoint_url"] = aws_emulator(kit.work_directory).endpoint().url
    # MiniStack's aws:PrincipalArn is a session's own ARN, which a role named here would not match.
    made["trusted_principals"] = [f"arn:aws:iam::{made['account_id']}:root"]
    return made


def operator_keys(kit: Kit, account: str = ACCOUNT) -> Credentials:
    return kit.root(account).assume_role(emulator_operator_arn(account), "operator").credentials


def environment(kit: Kit, keys: Credentials | None) -> dict[str, str]:
    ca_file = str(aws_emulator(kit.work_directory).endpoint().ca_file)
    return {"AWS_CA_BUNDLE": ca_file, **({} if keys is None else keys.environment())}

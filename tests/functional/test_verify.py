"""``invoke verify``: what it compares of a role, what it tries with a token, and that it does no harm."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, Kit, emulated, new_venue
from tests.functional.live_role import BUCKET, EXTRA, NEAR, PARAMETER, ROLE, VENUE, Role
from venue_access.inventory.model import emulator_operator_arn


class TestRole:
    def test_provisioned_venue_has_no_differences(self, role: Role) -> None:
        role.holds()

    def test_maximum_session_is_compared(self, role: Role) -> None:
        root = role.kit.root()
        root.call("iam", "update_role", RoleName=ROLE, MaxSessionDuration=7200)
        lines = role.differs()
        root.call("iam", "update_role", RoleName=ROLE, MaxSessionDuration=3600)
        assert lines == ["DIFFERS  role's maximum session: expected 3600 s, found 7200 s"]

    def test_permissions_boundary_is_compared(self, role: Role) -> None:
        root = role.kit.root()
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
        root.ensure("iam", "create_policy", PolicyName="somebodys-extra", PolicyDocument=json.dumps(everything))
        root.call("iam", "put_role_permissions_boundary", RoleName=ROLE, PermissionsBoundary=EXTRA)
        lines = role.differs()
        root.call("iam", "delete_role_permissions_boundary", RoleName=ROLE)
        assert f"DIFFERS  role's permissions boundary: expected none, found {EXTRA}" in lines
        assert any("ecr:GetAuthorizationToken: expected allowed, found refused" in line for line in lines)

    def test_missing_boundary_parameter_is_unclear(self, role: Role, tmp_path: Path) -> None:
        kit = Kit(tmp_path, role.kit.work_directory)
        unnamed = "ssm:/somebodys/boundary"
        kit.write_inventory({VENUE: emulated(VENUE, s3_buckets=[BUCKET], permissions_boundary=unnamed)})
        result = kit("verify")
        assert result.code == 7
        (line,) = (line for line in result.out.splitlines() if line.startswith("unclear"))
        assert line.startswith(f"unclear  role's permissions boundary: expected the policy that {unnamed} names, found")
        assert "the SSM parameter /somebodys/boundary does not exist" in line
        assert "ok       sts:AssumeRole without an external ID: expected refused, found refused" in result.out

    def test_policy_attached_by_hand_differs(self, role: Role) -> None:
        root = role.kit.root()
        nothing = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}}
        root.ensure("iam", "create_policy", PolicyName="somebodys-deny", PolicyDocument=json.dumps(nothing))
        arn = f"arn:aws:iam::{ACCOUNT}:policy/somebodys-deny"
        root.call("iam", "attach_role_policy", RoleName=ROLE, PolicyArn=arn)
        lines = role.differs()
        root.call("iam", "detach_role_policy", RoleName=ROLE, PolicyArn=arn)
        assert lines == [f"DIFFERS  policy {arn}: expected not attached, found attached"]

    @pytest.mark.parametrize("service", ["s3", "ecr"])
    def test_policy_detached_by_hand_differs(self, role: Role, service: str) -> None:
        root, arn = role.kit.root(), f"arn:aws:iam::{ACCOUNT}:policy/{ROLE}-{service}"
        root.call("iam", "detach_role_policy", RoleName=ROLE, PolicyArn=arn)
        lines = role.differs()
        root.call("iam", "attach_role_policy", RoleName=ROLE, PolicyArn=arn)
        assert f"DIFFERS  policy {ROLE}-{service}: expected attached, found not attached" in lines
        assert any(f"{service}:" in line and "expected allowed, found refused" in line for line in lines)

    def test_inline_policy_differs_and_its_permissions_are_probed(self, role: Role) -> None:
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        role.kit.root().call(
            "iam", "put_role_policy", RoleName=ROLE, PolicyName="mine", PolicyDocument=json.dumps(everything)
        )
        lines = role.differs()
        assert "DIFFERS  inline policy mine: expected none, found present" in lines
        for tried in (
            f"s3:ListBucket in {NEAR}-data",
            f"ssm:GetParameter of {PARAMETER}",
            "ssm:GetParameter of /unity/proof/dev2/cs/sts/role/external-id",
            "ecr:ListImages in proof-dev2/venue-access-probe",
            "iam:ListRoles",
            f"s3:GetBucketPolicy in {BUCKET}",
        ):
            assert any(f"{tried}: expected refused, found allowed" in line for line in lines), tried

    def test_revocation_policy_must_only_deny(self, role: Role) -> None:
        root, name = role.kit.root(), "venue-access-revoke-20261120T221500Z-3f9c21ab"
        statement = {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:userid": "AROAEXAMPLE:alice-20261120T221500Z-3f9c21ab"}},
        }
        for effect in ("Deny", "Allow"):
            document = {"Version": "2012-10-17", "Statement": [{**statement, "Effect": effect}]}
            root.call("iam", "put_role_policy", RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(document))
            if effect == "Deny":
                role.holds()
            else:
                wrong = f"DIFFERS  inline policy {name}, a revocation: expected denies only, found an Allow"
                assert role.differs() == [wrong]

    @pytest.mark.parametrize("sid", ["Pending", "Incoming"])
    def test_active_rotation_does_not_differ(self, role: Role, sid: str) -> None:
        """Earlier releases wrote the Sid Incoming."""
        document = role.documents["trust"]
        pending = copy.deepcopy(document["Statement"][0])
        pending["Sid"] = sid
        pending["Condition"]["StringEquals"]["sts:ExternalId"] = "pending-id"
        role.write("trust", {**document, "Statement": [*document["Statement"], pending]})
        result = role.verify()
        assert result.code == 0
        assert "accepted by the trust policy; a rotation is under way (pending)" in result.out
        assert "pending-id" not in result.out


class TestProbes:
    def test_each_line_has_expected_and_found(self, role: Role) -> None:
        lines = role.verify().out.splitlines()
        summary = lines.pop()
        assert all(": expected " in line and ", found " in line for line in lines)
        ok, skipped = (sum(line.startswith(word) for line in lines) for word in ("ok", "skipped"))
        assert summary == f"{VENUE}: {len(lines)} checks: {ok} ok, 0 differ, 0 unclear, {skipped} skipped"
        assert (ok + skipped, skipped) == (len(lines), 1)
        for tried in (
            "sts:AssumeRole without an external ID: expected refused, found refused",
            "sts:AssumeRole with a wrong external ID: expected refused, found refused",
            f"s3:PutObject (an upload begun) in {BUCKET}: expected allowed, found allowed",
            f"s3:AbortMultipartUpload in {BUCKET}: expected allowed, found allowed",
            "ecr:PutImage in proof-dev/venue-access-probe: expected allowed, found allowed",
            f"s3:ListBucket in {BUCKET}2: expected refused, found refused",
            f"sts:AssumeRole of {ROLE} with the token: expected refused, found refused",
        ):
            assert any(line.startswith("ok") and tried in line for line in lines), tried
        assert any("kms:Decrypt" in line and line.startswith("ok") for line in lines)

    def test_probes_leave_nothing_behind(self, role: Role) -> None:
        root = role.kit.root()
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        document = json.dumps(everything)
        root.call("iam", "put_role_policy", RoleName=ROLE, PolicyName="mine", PolicyDocument=document)
        before = _remains(role)
        assert role.verify().code == 7
        assert _remains(role) == before

    def test_json_has_every_check(self, role: Role) -> None:
        result = role.verify("--json")
        document = result.document()
        assert document["venue"] == VENUE
        assert document["differences"] == 0
        assert {"tried", "expected", "found", "holds", "result"} == set(document["checks"][0])
        assert document["unclear"] == 0
        assert len(document["checks"]) == len(role.verify().out.splitlines()) - 1  # the summary

    def test_missing_parameter_skips_the_token(self, role: Role) -> None:
        root = role.kit.root()
        root.call("ssm", "delete_parameter", Name=PARAMETER)
        result = role.verify()
        root.call("ssm", "put_parameter", Name=PARAMETER, Value=role.external_id, Type="SecureString")
        assert result.code == 7
        assert "external ID of the parameter: expected accepted by the trust policy, found parameter lost" in result.out
        assert "not tried: there is no external ID" in result.out

    def test_untrusted_caller_is_unclear(self, role: Role, tmp_path: Path) -> None:
        kit = Kit(tmp_path, role.kit.work_directory)
        stranger = f"arn:aws:iam::{ACCOUNT}:role/somebody"
        kit.write_inventory({VENUE: emulated(VENUE, trusted_principals=[stranger])})
        result = kit("verify")
        assert result.code == 7
        assert (
            f"unclear  a token: expected issued, found not tried: {emulator_operator_arn(ACCOUNT)}"[:60] in result.out
        )

    def test_unprovisioned_venue_differs(self, kit: Kit) -> None:
        name = new_venue()
        kit.write_inventory({name: emulated(name)})
        result = kit("verify", "--venue", name)
        assert result.code == 7
        role_name = f"unity-{name}-sts"
        differs = f"DIFFERS  role {role_name}: expected present, found absent"
        assert result.out == f"{differs}\n{name}: 1 check: 0 ok, 1 differs, 0 unclear\n"

    def test_dry_run_probes_nothing(self, role: Role) -> None:
        result = role.kit("--dry", "verify", "--venue", VENUE)
        assert (result.code, result.out) == (0, "")


def _remains(role: Role) -> list[Any]:
    root = role.kit.root()
    buckets = [each["Name"] for each in root.call("s3", "list_buckets")["Buckets"]]
    repositories = [each["repositoryName"] for each in root.call("ecr", "describe_repositories")["repositories"]]
    objects = root.call("s3", "list_objects_v2", Bucket=BUCKET).get("Contents", [])
    uploads = root.call("s3", "list_multipart_uploads", Bucket=BUCKET).get("Uploads", [])
    roles = [each["RoleName"] for each in root.call("iam", "list_roles")["Roles"]]
    return [buckets, repositories, objects, uploads, roles]

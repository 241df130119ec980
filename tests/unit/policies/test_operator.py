from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stacks import a_full_venue, a_venue
from venue_access.inventory.model import LedgerBucket, StateBackend, Venue
from venue_access.policies.operator import operator_policy

ACCOUNT = "111122223333"
PARAMETER = f"arn:aws:ssm:us-west-2:{ACCOUNT}:parameter/unity/unity/dev/cs/sts/role/external-id"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/unity-unity-dev-sts"


def statements(venue: Venue, *, issue_only: bool = False) -> dict[str, Any]:
    """By their Sid."""
    return {statement["Sid"]: statement for statement in operator_policy(venue, issue_only=issue_only)["Statement"]}


def test_issuer_may_read_one_parameter_and_assume_one_role() -> None:
    venue = a_venue(s3_buckets=("data",))
    assert operator_policy(venue, issue_only=True) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ReadExternalId", "Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": [PARAMETER]},
            {"Sid": "IssueTokens", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [ROLE]},
        ],
    }


def test_issuer_may_read_bucket_parameter() -> None:
    """A token that is scoped within S3 names the bucket."""
    assert set(statements(a_venue(), issue_only=True)) == {"ReadExternalId", "IssueTokens", "FindBucket"}


def test_source_identity_and_tags_need_permission() -> None:
    venue = a_venue(source_identity=True, session_tags={"purpose": "review"})
    assert statements(venue, issue_only=True)["IssueTokens"]["Action"] == [
        "sts:AssumeRole",
        "sts:SetSourceIdentity",
        "sts:TagSession",
    ]


def test_provisioner_may_manage_only_the_venue() -> None:
    for venue in (a_venue(s3_buckets=("data",)), a_full_venue(s3_buckets=("data",))):
        for sid, statement in statements(venue).items():
            if sid == "FindExternalId":
                continue  # SSM does not scope ssm:DescribeParameters to a parameter
            for resource in statement["Resource"]:
                assert "*" not in resource, sid
                assert resource in {
                    venue.role_arn,
                    venue.policy_arn("s3"),
                    venue.policy_arn("ecr"),
                    f"arn:aws:ssm:us-west-2:{ACCOUNT}:parameter{venue.external_id_parameter}",
                    venue.permissions_boundary_arn,
                }


def test_looked_up_parameters_may_be_read() -> None:
    plain = statements(a_venue(s3_buckets=("data",)))
    assert {"FindBucket", "FindBoundary", "FindState"}.isdisjoint(plain)
    found = statements(a_venue(permissions_boundary="mcp-tenantOperator-AMI-APIG"))
    assert found["FindBucket"]["Resource"] == [
        f"arn:aws:ssm:us-west-2:{ACCOUNT}:parameter/unity/unity/dev/ds/datastore-bucket"
    ]
    assert found["FindBoundary"]["Resource"] == [f"arn:aws:iam::{ACCOUNT}:policy/mcp-tenantOperator-AMI-APIG"]


def test_boundary_from_a_parameter_may_be_read_and_looked_up() -> None:
    found = statements(a_venue(permissions_boundary="ssm:/unity/cs/account/privilegedpolicyname"))
    assert found["ReadBoundary"] == {
        "Sid": "ReadBoundary",
        "Effect": "Allow",
        "Action": ["ssm:GetParameter"],
        "Resource": [f"arn:aws:ssm:us-west-2:{ACCOUNT}:parameter/unity/cs/account/privilegedpolicyname"],
    }
    assert found["FindBoundary"]["Resource"] == [f"arn:aws:iam::{ACCOUNT}:policy/*", "arn:aws:iam::aws:policy/*"]


def test_s3_state_is_limited_to_the_key_of_the_stack() -> None:
    state = StateBackend("s3", bucket="tf-state", key_prefix="venues/", region="us-east-1", kms_key_id="alias/state")
    found = statements(a_venue(state=state))
    assert found["FindState"]["Resource"] == ["arn:aws:s3:::tf-state"]
    assert found["KeepState"]["Resource"] == ["arn:aws:s3:::tf-state/venues/shared/*"]
    assert found["EncryptState"] == {
        "Sid": "EncryptState",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": ["*"],
        "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/state"}},
    }


def test_state_key_is_the_object_key() -> None:
    key = "11111111-2222-3333-4444-555555555555"
    for given in (key, f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}"):
        state = StateBackend("s3", bucket="tf-state", region="us-east-1", kms_key_id=given)
        assert statements(a_venue(state=state))["EncryptState"]["Resource"] == [
            f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}"
        ]


@pytest.mark.parametrize(
    ("given", "resource"),
    [
        (
            "11111111-2222-3333-4444-555555555555",
            f"arn:aws:kms:us-west-2:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        ),
        ("arn:aws:kms:us-west-2:444455556666:key/mrk-1", "arn:aws:kms:us-west-2:444455556666:key/mrk-1"),
    ],
)
def test_kms_key_is_limited_to_its_parameter(given: str, resource: str) -> None:
    venue = a_venue(external_id_kms_key=given)
    context = {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": PARAMETER}}
    issuing, provisioning = statements(venue, issue_only=True), statements(venue)
    assert issuing["DecryptExternalId"] == {
        "Sid": "DecryptExternalId",
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": [resource],
        "Condition": context,
    }
    assert provisioning["EncryptExternalId"]["Action"] == ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    assert provisioning["EncryptExternalId"]["Condition"] == context
    assert {"EncryptExternalId", "DecryptExternalId"}.isdisjoint(statements(a_venue()))


def test_alias_permits_its_kms_key() -> None:
    found = statements(a_venue(external_id_kms_key="alias/venue-access"), issue_only=True)["DecryptExternalId"]
    assert found["Resource"] == ["*"]
    assert found["Condition"] == {
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/venue-access"},
        "StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": PARAMETER},
    }


def test_policy_fits_an_operator_role() -> None:
    """An inline policy of a role holds 10,240 characters, a managed one 6,144 (IAM quotas)."""
    assert len(json.dumps(operator_policy(a_full_venue()), separators=(",", ":"))) < 6144


def test_s3_ledger_is_append_only_for_the_issuer() -> None:
    venue = a_venue(s3_buckets=("data",), ledger=LedgerBucket("books", "kit/", "us-east-1"))
    for issue_only in (True, False):
        found = statements(venue, issue_only=issue_only)
        assert found["FindLedger"]["Resource"] == ["arn:aws:s3:::books"]
        assert found["FindLedger"]["Condition"] == {"StringLike": {"s3:prefix": "kit/*"}}
        assert found["KeepLedger"]["Action"] == ["s3:GetObject", "s3:PutObject"]
        assert found["KeepLedger"]["Resource"] == ["arn:aws:s3:::books/kit/*"]
        assert "EncryptLedger" not in found
    assert "KeepLedger" not in statements(a_venue(s3_buckets=("data",)))


def test_issuer_may_use_ledger_key() -> None:
    key = "11111111-2222-3333-4444-555555555555"
    for issue_only in (True, False):
        place = LedgerBucket("books", "kit/", "us-east-1", key)
        found = statements(a_venue(ledger=place), issue_only=issue_only)["EncryptLedger"]
        assert found["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        assert found["Resource"] == [f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}"]
        by_alias = LedgerBucket("books", "kit/", "us-east-1", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/books")
        found = statements(a_venue(ledger=by_alias), issue_only=issue_only)["EncryptLedger"]
        assert found["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/books"}}


def test_keys_of_a_state_and_a_ledger_are_two_statements() -> None:
    state = StateBackend("s3", bucket="tf-state", kms_key_id="alias/state")
    both = operator_policy(a_venue(state=state, ledger=LedgerBucket("books", "", "us-east-1", "alias/books")))
    sids = [statement["Sid"] for statement in both["Statement"]]
    assert {"EncryptState", "EncryptLedger"} < set(sids)
    assert len(sids) == len(set(sids))

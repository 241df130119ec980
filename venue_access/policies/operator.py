"""The IAM policy that an operator needs for a venue: to provision it, or only to issue tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from venue_access.errors import RenderError
from venue_access.inventory.model import Venue
from venue_access.policies.documents import SERVICES, VERSION, Policy
from venue_access.templates import render_template

# The calls of the AWS provider for the module's resources, and of a revocation; the functional tests run under them.
_ROLE_ACTIONS = (
    *("iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary"),
    *("iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:GetRole", "iam:GetRolePolicy"),
    *("iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies"),
    *("iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole"),
    *("iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"),
)
_POLICY_ACTIONS = (
    *("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:GetPolicy"),
    *("iam:GetPolicyVersion", "iam:ListPolicyVersions", "iam:TagPolicy", "iam:UntagPolicy"),
)
_PARAMETER_ACTIONS = (
    *("ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParameterHistory"),
    *("ssm:ListTagsForResource", "ssm:PutParameter", "ssm:RemoveTagsFromResource"),
)
_STATE_BUCKET_ACTIONS = ("s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration")
_BUCKET_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")  # S3 User Guide, "Using ... encryption with AWS KMS"


def operator_policy(venue: Venue, *, issue_only: bool = False) -> Policy:
    """Return the policy document for an operator of one venue.

    :param issue_only: allow only what ``issue-token`` needs: read the external ID, assume the role, and append to a
        ledger in S3. An operator who is given the external ID with each request does not need the first statement.
        Where the platform names the bucket in SSM, limiting a token within S3 reads that name too.
    """
    statements = _manage(venue)
    if issue_only:
        statements = [
            _allow("ReadExternalId", ("ssm:GetParameter",), _parameter_arn(venue, venue.external_id_parameter)),
            *_use_parameter_key("DecryptExternalId", venue, "kms:Decrypt"),
        ]
    session_actions = {"sts:SetSourceIdentity": venue.source_identity, "sts:TagSession": bool(venue.session_tags)}
    assume = ["sts:AssumeRole", *(action for action, is_needed in session_actions.items() if is_needed)]
    statements += [_allow("IssueTokens", assume, venue.role_arn), *_keep_ledger(venue)]
    if venue.s3_buckets is None:
        statements.append(_allow("FindBucket", ("ssm:GetParameter",), _parameter_arn(venue, venue.datastore_parameter)))
    return {"Version": VERSION, "Statement": statements}


def with_mfa_only(policy: Mapping[str, Any], *, partition: str, account_id: str) -> Policy:
    """Return an operator's policy that an IAM user has only with MFA.

    Without MFA the user can find their own device, and call GetSessionToken, which needs no permission.
    """
    text = render_template(
        "policies/require-mfa.json.j2", statements=policy["Statement"], partition=partition, account_id=account_id
    )
    try:
        document: Policy = json.loads(text)
    except ValueError as error:
        raise RenderError(f"templates/policies/require-mfa.json.j2: not JSON: {error}") from error
    return document


def _manage(venue: Venue) -> list[dict[str, Any]]:
    statements = [
        _allow("ManageRole", _ROLE_ACTIONS, venue.role_arn),
        _allow("ManagePolicies", _POLICY_ACTIONS, *(venue.policy_arn(service) for service in SERVICES)),
        _allow("ManageExternalId", _PARAMETER_ACTIONS, _parameter_arn(venue, venue.external_id_parameter)),
        # SSM does not scope this action to a parameter (AWS Service Authorization Reference).
        _allow("FindExternalId", ("ssm:DescribeParameters",), "*"),
        *_use_parameter_key("EncryptExternalId", venue, "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"),
    ]
    if venue.permissions_boundary_arn is not None:
        statements.append(_allow("FindBoundary", ("iam:GetPolicy",), venue.permissions_boundary_arn))
    if venue.boundary_parameter is not None:
        parameter = _parameter_arn(venue, venue.boundary_parameter)
        statements.append(_allow("ReadBoundary", ("ssm:GetParameter",), parameter))
        anywhere = (f"arn:{venue.partition}:iam::{owner}:policy/*" for owner in (venue.account_id, "aws"))
        statements.append(_allow("FindBoundary", ("iam:GetPolicy",), *anywhere))
    state = venue.state
    if state.bucket is not None:
        bucket = f"arn:{venue.partition}:s3:::{state.bucket}"
        prefix = f"{state.key_prefix.strip('/')}/" if state.key_prefix.strip("/") else ""
        objects = f"{bucket}/{prefix}{venue.stack}/*"
        statements.append(_allow("FindState", ("s3:ListBucket", *_STATE_BUCKET_ACTIONS), bucket))
        statements.append(_allow("KeepState", ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), objects))
        if state.kms_key_id is not None:
            statements.append(
                _use_key("EncryptState", _BUCKET_KEY_ACTIONS, venue, state.kms_key_id, state.region or venue.region)
            )
    return statements


def _keep_ledger(venue: Venue) -> list[dict[str, Any]]:
    """Allow to read and append to a ledger in S3, and not to delete (docs/ledger.md has the bucket's own policy)."""
    if venue.ledger is None:
        return []
    bucket = f"arn:{venue.partition}:s3:::{venue.ledger.bucket}"
    found = _allow("FindLedger", ("s3:ListBucket",), bucket)
    if venue.ledger.prefix:
        found["Condition"] = {"StringLike": {"s3:prefix": f"{venue.ledger.prefix}*"}}
    statements = [found, _allow("KeepLedger", ("s3:GetObject", "s3:PutObject"), f"{bucket}/{venue.ledger.prefix}*")]
    if venue.ledger.kms_key_id is not None:
        key, region = venue.ledger.kms_key_id, venue.ledger.region
        statements.append(_use_key("EncryptLedger", _BUCKET_KEY_ACTIONS, venue, key, region))
    return statements


def _use_parameter_key(sid: str, venue: Venue, *actions: str) -> list[dict[str, Any]]:
    """Allow to use the customer's key of the external-ID parameter, for that parameter only.

    SSM encrypts a standard parameter with Encrypt and an advanced one with GenerateDataKey, and names the parameter in
    the encryption context (AWS KMS Developer Guide, "How Systems Manager Parameter Store uses AWS KMS").
    """
    if venue.external_id_kms_key is None:
        return []
    statement = _use_key(sid, actions, venue, venue.external_id_kms_key, venue.region)
    arn = _parameter_arn(venue, venue.external_id_parameter)
    context = {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arn}}
    return [{**statement, "Condition": {**statement.get("Condition", {}), **context}}]


def _use_key(sid: str, actions: Sequence[str], venue: Venue, key: str, region: str) -> dict[str, Any]:
    """Allow to use a KMS key that is given by its ID, its alias or the ARN of either."""
    name = key.rpartition(":")[2]
    if name.startswith("alias/"):
        # An alias as a resource grants nothing; this condition grants the key that has it (KMS Developer Guide).
        condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}
        return {**_allow(sid, actions, "*"), "Condition": condition}
    arn = key if key.startswith("arn:") else f"arn:{venue.partition}:kms:{region}:{venue.account_id}:key/{name}"
    return _allow(sid, actions, arn)


def _parameter_arn(venue: Venue, name: str) -> str:
    return f"arn:{venue.partition}:ssm:{venue.region}:{venue.account_id}:parameter{name}"


def _allow(sid: str, actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}

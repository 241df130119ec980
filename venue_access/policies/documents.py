"""The policies of a venue's role, as the Terraform module renders them.

Terraform makes the policies from documents of its own; these are their twins, for what must be known without Terraform:
their size before anything runs, and what a live role should look like. ``tests/functional/test_terraform_module.py``
holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId

MANAGED_POLICY_LIMIT = 6_144
"""Characters, white space not counted (IAM User Guide, "IAM and AWS STS quotas")."""

INLINE_POLICIES_LIMIT = 10_240
"""Characters of all inline policies of a role together, white space not counted (same source)."""

REVOCATION_PREFIX = "venue-access-revoke-"
"""What the names of the inline policies begin with that revoke tokens: they come and go beside Terraform."""

BUCKET_ACTIONS = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
OBJECT_ACTIONS = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject")
DELETE_ACTIONS = ("s3:DeleteObject",)
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
REPOSITORY_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:CreateRepository",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:ListImages",
    "ecr:PutImage",
    "ecr:TagResource",
    "ecr:UploadLayerPart",
)
SESSION_POLICY_LIMIT = 2_048
"""Characters of a session policy, compact (AWS STS API reference, AssumeRole, Policy)."""

REVOCATION_PREFIX = "venue-access-revoke-"
"""How the names of the inline policies begin by which the kit revokes tokens."""

Policy = dict[str, Any]


CURRENT, PENDING = "Current", "Pending"
"""The Sids of the trust policy's statements for the external ID in use, and for the one that replaces it."""


@dataclass(frozen=True)
class ExternalIds:
    """The external IDs that a trust policy accepts: the current one and, during a rotation, the pending one."""

    current: ExternalId
    pending: ExternalId | None = None


def trusted_accounts(venue: Venue) -> tuple[str, ...]:
    """The trusted principals that are whole accounts, ``arn:<partition>:iam::<account>:root``."""
    return tuple(arn for arn in venue.trusted_principals if _is_account(arn))


def principal_arn_patterns(venue: Venue) -> tuple[str, ...]:
    """What ``aws:PrincipalArn`` is compared with, for the trusted principals that are not whole accounts.

    AWS gives a role's own ARN there for a session of the role, so the ARN of the role is all that is needed (IAM User
    Guide, "AWS global condition context keys"). The AWS emulator gives the session's ARN instead, in which the role
    stands without its path; only for its venues that form is taken too.
    """
    patterns: list[str] = []
    for arn in venue.trusted_principals:
        if _is_account(arn):
            continue
        patterns.append(arn)
        _, partition, service, _, account, resource = arn.split(":", 5)
        if venue.emulator and service == "iam" and resource.startswith("role/"):
            patterns.append(f"arn:{partition}:sts::{account}:assumed-role/{resource.rpartition('/')[2]}/*")
    return tuple(patterns)


def trust_policy(venue: Venue, ids: ExternalIds) -> Policy:
    """The trust policy of the venue's role. It holds the external IDs in the clear."""
    accounts = trusted_accounts(venue)
    patterns = principal_arn_patterns(venue)
    roots = [_root(arn) for arn in (*accounts, *patterns)]
    restrictions: dict[str, dict[str, Any]] = {}
    if patterns:
        whole = [arn.removesuffix("root") + "*" for arn in accounts]
        anyone = [*whole, *(arn.replace(":iam:", ":sts:") for arn in whole)]
        restrictions["ArnLike"] = {"aws:PrincipalArn": _plain(sorted({*patterns, *anyone}))}
    if venue.require_mfa:
        restrictions["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
    if venue.source_cidrs:
        restrictions["IpAddress"] = {"aws:SourceIp": _plain(venue.source_cidrs)}
    if venue.principal_org_id is not None:
        restrictions["StringEquals"] = {"aws:PrincipalOrgID": venue.principal_org_id}

    def statement(sid: str, *actions: str, external_id: ExternalId | None = None) -> Policy:
        conditions = dict(restrictions)
        if external_id is not None:
            own = {"sts:ExternalId": external_id.reveal()}
            conditions["StringEquals"] = {**conditions.get("StringEquals", {}), **own}
        principal = {"AWS": _plain(_descending(roots))}
        return _statement(sid, "Allow", actions, None, principal=principal, conditions=conditions)

    statements = [statement("Current", "sts:AssumeRole", external_id=ids.current)]
    if ids.pending is not None:
        statements.append(statement("Incoming", "sts:AssumeRole", external_id=ids.pending))
    if venue.source_identity or venue.session_tags:
        wanted = {"sts:SetSourceIdentity": venue.source_identity, "sts:TagSession": bool(venue.session_tags)}
        statements.append(statement("Session", *(action for action, on in wanted.items() if on)))
    return _document(statements)


def s3_policy(venue: Venue, buckets: Sequence[str]) -> Policy:
    """The policy by which a token reads and writes the venue's buckets, over TLS only."""
    bucket_arns = [f"arn:{venue.partition}:s3:::{bucket}" for bucket in buckets]
    object_arns = [f"{arn}/*" for arn in bucket_arns]
    object_actions = [*OBJECT_ACTIONS, *(DELETE_ACTIONS if venue.s3_allow_delete else ())]
    plain_text = {"Bool": {"aws:SecureTransport": "false"}}
    return _document(
        [
            _statement("Buckets", "Allow", BUCKET_ACTIONS, bucket_arns),
            _statement("Objects", "Allow", object_actions, object_arns),
            *([_statement("Keys", "Allow", KEY_ACTIONS, venue.kms_key_arns)] if venue.kms_key_arns else []),
            _statement("TlsOnly", "Deny", ["s3:*"], [*bucket_arns, *object_arns], conditions=plain_text),
        ]
    )


def ecr_policy(venue: Venue) -> Policy:
    """The policy by which a token creates, pushes and pulls the venue's repositories."""
    below = f"arn:{venue.partition}:ecr:{venue.region}:{venue.account_id}:repository/"
    return _document(
        [
            _statement("Login", "Allow", ["ecr:GetAuthorizationToken"], ["*"]),
            _statement(
                "Repositories",
                "Allow",
                REPOSITORY_ACTIONS,
                [f"{below}{prefix}*" for prefix in venue.ecr_repository_prefixes],
            ),
        ]
    )


def compact(policy: Mapping[str, Any]) -> str:
    """A policy as the shortest JSON, its characters as they are."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def size(policy: Policy) -> int:
    """The characters of a policy that count against IAM's quotas."""
    return len(compact(policy))


def _is_account(arn: str) -> bool:
    return arn.endswith(":root")


def _root(arn: str) -> str:
    _, partition, _, _, account, _ = arn.split(":", 5)
    return f"arn:{partition}:iam::{account}:root"


def _document(statements: list[Policy]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(
    sid: str,
    effect: str,
    actions: Iterable[str],
    resources: Iterable[str] | None,
    *,
    principal: Mapping[str, Any] | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> Policy:
    statement: Policy = {"Sid": sid, "Effect": effect}
    if principal is not None:
        statement["Principal"] = principal
    statement["Action"] = _plain(_descending(actions))
    if resources is not None:
        statement["Resource"] = _plain(_descending(resources))
    if conditions:
        statement["Condition"] = conditions
    return statement


def _descending(values: Iterable[str]) -> list[str]:
    # The provider writes actions, resources and principals so; to match it makes the texts comparable.
    return sorted(set(values), reverse=True)


def _plain(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)

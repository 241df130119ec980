"""The policies of a venue's role: rendered from ``templates/policies``, checked and measured.

These documents are the only copy. Terraform receives them as values; the size checks, ``verify``, ``drift`` and session
policies start from them. What a role grants changes in a template, and in ``tests/data/permissions.yml`` with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from venue_access.errors import RenderError
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId
from venue_access.templates import render_template

# Characters, white space not counted (IAM User Guide, "IAM and AWS STS quotas").
MANAGED_POLICY_LIMIT = 6_144
INLINE_POLICIES_LIMIT = 10_240
"""Of all inline policies of a role together."""
SESSION_POLICY_LIMIT = 2_048
"""Of a session policy (AWS STS API reference, AssumeRole, Policy)."""

VERSION = "2012-10-17"
CURRENT, PENDING = "Current", "Pending"
"""The Sids of the trust policy's statements for the external ID in use, and for the one that replaces it."""
SERVICES = ("s3", "ecr")
"""The services for which a role has a managed policy each."""

Policy = dict[str, Any]


@dataclass(frozen=True)
class ExternalIds:
    """The external IDs that a trust policy accepts: the current one and, during a rotation, the pending one."""

    current: ExternalId
    pending: ExternalId | None = None


def trust_policy(venue: Venue, ids: ExternalIds) -> Policy:
    """Return the trust policy of the venue's role. It holds the external IDs in the clear.

    The principals are the accounts of ``trusted_principals``; ``aws:PrincipalArn`` limits them to its roles and users.
    If some of these are whole accounts, they get patterns that match every principal of the account (``iam`` for roles,
    users and the root; ``sts`` for federated users), or the condition would exclude them.
    """
    whole = [arn for arn in venue.trusted_principals if arn.endswith(":root")]
    scoped = [arn for arn in venue.trusted_principals if not arn.endswith(":root")]
    everyone = [_principal(arn, service, "*") for arn in whole for service in ("iam", "sts")]
    session_actions = {"sts:SetSourceIdentity": venue.source_identity, "sts:TagSession": bool(venue.session_tags)}
    document = _rendered(
        "trust",
        accounts=_distinct(_principal(arn, "iam", "root") for arn in venue.trusted_principals),
        principal_arns=_distinct([*scoped, *everyone]) if scoped else [],
        require_mfa=venue.require_mfa,
        source_cidrs=venue.source_cidrs,
        principal_org_id=venue.principal_org_id,
        current=ids.current.reveal(),
        pending=None if ids.pending is None else ids.pending.reveal(),
        session_actions=[action for action, is_allowed in session_actions.items() if is_allowed],
    )
    for statement in document["Statement"]:
        conditions = statement.get("Condition", {}).get("StringEquals", {})
        if statement["Sid"] != "Session" and "sts:ExternalId" not in conditions:
            raise RenderError("templates/policies/trust.json.j2: a statement does not demand an external ID")
    return document


def s3_policy(venue: Venue, buckets: Sequence[str]) -> Policy:
    """Return the managed policy by which a token reads and writes the venue's data buckets."""
    bucket_arns = _distinct(f"arn:{venue.partition}:s3:::{bucket}" for bucket in buckets)
    return _rendered(
        "s3",
        bucket_arns=bucket_arns,
        object_arns=[f"{arn}/*" for arn in bucket_arns],
        s3_allow_delete=venue.s3_allow_delete,
        kms_key_arns=_distinct(venue.kms_key_arns),
    )


def ecr_policy(venue: Venue) -> Policy:
    """Return the managed policy by which a token creates, pushes and pulls the venue's repositories."""
    arns = _distinct(repository_arn(venue, f"{name}*") for name in venue.ecr_repository_prefixes)
    return _rendered("ecr", repository_arns=arns)


def managed_policies(venue: Venue, buckets: Sequence[str]) -> dict[str, Policy]:
    """Return the managed policies of the venue's role, by service."""
    return {"s3": s3_policy(venue, buckets), "ecr": ecr_policy(venue)}


def repository_arn(venue: Venue, name: str) -> str:
    """Return the ARN of a repository of the venue's account and region, or a pattern of such ARNs."""
    return f"arn:{venue.partition}:ecr:{venue.region}:{venue.account_id}:repository/{name}"


def parse_policy(document: str | Mapping[str, Any]) -> Policy:
    """Return a policy document as AWS gives it: parsed, as JSON text, or as JSON text that is URL-encoded.

    :raises ValueError: it is not a JSON object.
    """
    if isinstance(document, str):
        # IAM's API returns documents URL-encoded (RFC 3986), in which a document never begins with a brace.
        document = json.loads(document if document.lstrip().startswith("{") else unquote(document))
    if not isinstance(document, Mapping):
        raise ValueError("a policy document must be a JSON object")
    return dict(document)


def statements_of(policy: Mapping[str, Any]) -> list[Any]:
    """Return the statements of a policy, which may be a list or a single one."""
    return listed(policy.get("Statement"))


def listed(value: Any) -> list[Any]:
    """Return as a list what a policy may hold as a list or as a single value."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def shortest(values: Sequence[str]) -> str | list[str]:
    """Return a single value by itself, as it counts fewer characters than in a list."""
    return values[0] if len(values) == 1 else list(values)


def compact(policy: Mapping[str, Any]) -> str:
    """Return a policy as the shortest JSON, with its characters unescaped."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def size(policy: Mapping[str, Any]) -> int:
    """Return the characters of a policy that count against AWS's limits."""
    return len(compact(policy))


def _rendered(name: str, **values: Any) -> Policy:
    """Return a template's document, without empty conditions, and each list of one value as that value."""
    template = f"policies/{name}.json.j2"
    try:
        document = json.loads(render_template(template, **values))
        if document["Version"] != VERSION or not isinstance(document["Statement"], list):
            raise ValueError(f"it must have the Version {VERSION} and a list of statements")
        return {"Version": VERSION, "Statement": [_short(statement) for statement in document["Statement"]]}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # Without the cause: a JSON error quotes the document, in which an external ID may be.
        raise RenderError(f"templates/{template}: not a policy document: {error}") from None


def _principal(arn: str, service: str, resource: str) -> str:
    """Return the ARN of a resource in the account of a principal."""
    _, partition, _, _, account, _ = arn.split(":", 5)
    return f"arn:{partition}:{service}::{account}:{resource}"


def _short(element: Any) -> Any:
    if isinstance(element, dict):
        return {key: _short(value) for key, value in element.items() if _short(value) != {}}
    return element[0] if isinstance(element, list) and len(element) == 1 else element


def _distinct(values: Iterable[str]) -> list[str]:
    # Terraform takes a document in which a value is repeated for another one.
    return sorted(set(values))

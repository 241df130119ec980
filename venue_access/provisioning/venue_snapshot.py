"""The snapshot of a venue: its role and its external-ID parameter, read from AWS and never remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId

_DELETED = re.compile(r"A(RO|ID)A[A-Z0-9]+")  # a role's or a user's unique ID (IAM User Guide, "IAM identifiers")
CURRENT, PENDING = "Current", "Pending"
"""The Sids of the trust policy's statements for the external ID in use and for the one that a rotation brings."""
_EARLIER_SIDS = {"Incoming": PENDING}


@dataclass(frozen=True)
class VenueSnapshot:
    """A venue's role and its external-ID parameter as they are now; None for what does not exist."""

    role: LiveRole | None
    parameter: Parameter | None

    @property
    def stored(self) -> ExternalId | None:
        """Return the parameter's external ID, which ``issue-token`` uses."""
        return None if self.parameter is None else self.parameter.value

    @property
    def accepted(self) -> Mapping[str, tuple[ExternalId, ...]]:
        """Return the IDs that the trust policy accepts, by the Sid of their statement (``""`` without one)."""
        return {} if self.role is None else external_ids_in(self.role.trust_policy)

    @property
    def every_id(self) -> tuple[ExternalId, ...]:
        """Return each ID that is accepted or stored, to be redacted."""
        stored = () if self.stored is None else (self.stored,)
        return (*(each for ids in self.accepted.values() for each in ids), *stored)

    def has_same_ids(self, other: VenueSnapshot) -> bool:
        """Return whether no ID differs between two snapshots of a venue."""
        return self.accepted == other.accepted and self.stored == other.stored


def read_snapshot(aws: AwsClient, venue: Venue) -> VenueSnapshot:
    """Read a venue's role and parameter: two calls."""
    return VenueSnapshot(aws.role(venue.role_name), aws.parameter(venue.external_id_parameter))


def external_ids_in(trust_policy: Mapping[str, Any]) -> dict[str, tuple[ExternalId, ...]]:
    """Return the external IDs that let a caller assume the role, by the Sid of their statement.

    Only a condition that fails without an external ID counts: ``StringEquals``, or ``StringLike`` without a wildcard. A
    statement without such a condition has no ID. The earlier Sid ``Incoming`` is returned as ``Pending``.
    """
    found: dict[str, tuple[ExternalId, ...]] = {}
    for statement in _assume_statements(trust_policy):
        ids = tuple(
            ExternalId(text)
            for operator, keys in statement.get("Condition", {}).items()
            if operator in ("StringEquals", "StringLike")
            for key, value in keys.items()
            if key.lower() == "sts:externalid"  # condition keys ignore case (IAM User Guide)
            for text in _listed(value)
            if operator == "StringEquals" or not {"*", "?"} & set(text)
        )
        sid = statement.get("Sid", "")
        sid = _EARLIER_SIDS.get(sid, sid)
        found[sid] = (*found.get(sid, ()), *ids)
    return found


def trusts_only_deleted(trust_policy: Mapping[str, Any]) -> bool:
    """Return whether a statement trusts only principals that were deleted.

    IAM then shows the unique ID instead of the ARN; a principal re-created under the same name has another (IAM User
    Guide, "AWS JSON policy elements: Principal").
    """
    principals = [statement.get("Principal") for statement in _assume_statements(trust_policy)]
    return any(
        isinstance(principal, dict)
        and list(principal) == ["AWS"]
        and all(_DELETED.fullmatch(each) for each in _listed(principal["AWS"]))
        for principal in principals
    )


def _assume_statements(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements that allow ``sts:AssumeRole``."""
    statements = policy.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        # Actions take wildcards and ignore case (IAM User Guide, "IAM JSON policy elements: Action").
        actions = _listed(statement.get("NotAction", statement.get("Action")))
        named = any(fnmatchcase("sts:assumerole", action.lower()) for action in actions)
        if statement.get("Effect") == "Allow" and named != ("NotAction" in statement):
            yield statement


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)

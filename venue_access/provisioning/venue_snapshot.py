"""What exists of a venue in AWS now, and what it says of the external ID: read, never remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.provisioning.render import Import, managed_resources
from venue_access.sensitive import ExternalId

_DELETED = re.compile(r"A(RO|ID)A[A-Z0-9]+")  # a role's or a user's unique ID (IAM User Guide, "IAM identifiers")
CURRENT, INCOMING = "Current", "Incoming"
"""The Sids by which the trust policy tells the external ID in use from the one coming in."""


@dataclass(frozen=True)
class VenueSnapshot:
    """A venue's role and its external-ID parameter as they are now; None for what does not exist."""

    role: LiveRole | None
    parameter: Parameter | None

    @property
    def published(self) -> ExternalId | None:
        """The ID that ``issue-token`` uses: the parameter's."""
        return None if self.parameter is None else self.parameter.value

    @property
    def accepted(self) -> Mapping[str, tuple[ExternalId, ...]]:
        """The IDs that the trust policy accepts, by the Sid of their statement (``""`` for none)."""
        return {} if self.role is None else external_ids_in(self.role.trust_policy)

    @property
    def every_id(self) -> tuple[ExternalId, ...]:
        """Each ID that is accepted or published, to be redacted."""
        published = () if self.published is None else (self.published,)
        return (*(each for ids in self.accepted.values() for each in ids), *published)

    def same_ids_as(self, other: VenueSnapshot) -> bool:
        """Whether nobody has changed an ID between two readings."""
        return self.accepted == other.accepted and self.published == other.published


def read_snapshot(aws: AwsClient, venue: Venue) -> VenueSnapshot:
    """Read a venue's role and parameter: two calls."""
    return VenueSnapshot(aws.role(venue.role_name), aws.parameter(venue.external_id_parameter))


def external_ids_in(trust_policy: Mapping[str, Any]) -> dict[str, tuple[ExternalId, ...]]:
    """The external IDs by which a trust policy lets the role be assumed, by the Sid of their statement.

    Only a guard that an absent ID fails counts: a plain ``StringEquals``, or ``StringLike`` without a wildcard. A
    statement without one appears with no ID.
    """
    found: dict[str, tuple[ExternalId, ...]] = {}
    for statement in _statements(trust_policy):
        if statement.get("Effect") != "Allow" or not _lets_assume(statement):
            continue
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
        found[sid] = (*found.get(sid, ()), *ids)
    return found


def trusts_only_deleted(trust_policy: Mapping[str, Any]) -> bool:
    """Whether a way in is left to nobody, as each principal of its statement was deleted.

    IAM then shows the unique ID in place of the ARN, and who is made anew under the same name has another (IAM User
    Guide, "AWS JSON policy elements: Principal").
    """
    return any(
        isinstance(principal, dict)
        and list(principal) == ["AWS"]
        and all(_DELETED.fullmatch(each) for each in _listed(principal["AWS"]))
        for principal in (
            statement.get("Principal")
            for statement in _statements(trust_policy)
            if statement.get("Effect") == "Allow" and _lets_assume(statement)
        )
    )


def importable(aws: AwsClient, venue: Venue, live: VenueSnapshot, known: frozenset[str]) -> list[Import]:
    """As ``existing``, having refused to take over a role that would not stay what it is.

    :raises UsageError: see ``check_importable``.
    """
    found = existing(aws, venue, live, known)
    if managed_resources(venue)[0] in found:
        check_importable(venue, live)
    return found


def check_importable(venue: Venue, live: VenueSnapshot) -> None:
    """Refuse to take over a role that the inventory describes otherwise in what must not change in passing.

    :raises UsageError: the role has another path (it would be destroyed and made anew) or a permissions boundary
        that the inventory does not name (it would be taken off).
    """
    role = live.role
    if role is None:
        return
    if role.path != venue.role_path:
        raise UsageError(
            f"{venue.name}: the role {venue.role_name} exists already, with the path {role.path}",
            hint=f"set role_path: {role.path}",
        )
    boundary = role.permissions_boundary_arn
    if boundary is not None and venue.permissions_boundary is None:
        named = boundary.split(":policy/", 1)[1] if f":{venue.account_id}:" in boundary else boundary
        raise UsageError(
            f"{venue.name}: the role {venue.role_name} has the permissions boundary {boundary}, which the inventory"
            " does not name",
            hint=f"set permissions_boundary: {named}",
        )


def existing(aws: AwsClient, venue: Venue, live: VenueSnapshot, known: frozenset[str]) -> list[Import]:
    """The objects of a venue that exist in AWS and that Terraform's state does not know: to be imported.

    :param known: the addresses in the state; nothing is asked about those.
    """
    attached: frozenset[str] | None = None
    found = []
    for resource in managed_resources(venue):
        if resource.address in known:
            continue
        kind = resource.address.split(".")[-2]
        if kind == "aws_iam_role":
            exists = live.role is not None
        elif kind == "aws_ssm_parameter":
            exists = live.parameter is not None
        elif kind == "aws_iam_policy":
            exists = aws.managed_policy_exists(resource.id)
        elif live.role is None:
            exists = False
        else:
            if attached is None:
                attached = aws.attached_policies(venue.role_name)
            exists = resource.id.split("/", 1)[1] in attached
        if exists:
            found.append(resource)
    return found


def _statements(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    statements = policy.get("Statement", [])
    yield from [statements] if isinstance(statements, dict) else statements


def _lets_assume(statement: Mapping[str, Any]) -> bool:
    # Actions take wildcards and ignore case (IAM User Guide, "IAM JSON policy elements: Action").
    named = any(
        fnmatchcase("sts:assumerole", action.lower())
        for action in _listed(statement.get("NotAction", statement.get("Action")))
    )
    return named != ("NotAction" in statement)


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)

"""What exists of a venue in AWS now, and what it says of the external ID: read, never remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import external_ids_in
from venue_access.provisioning.render import Import, managed_resources
from venue_access.sensitive import ExternalId


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

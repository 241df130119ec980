"""Permissions boundaries: read from the SSM parameter that names them, and checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from venue_access.aws.client import AwsClient
from venue_access.errors import AccessDenied, UsageError
from venue_access.inventory.arns import FROM_PARAMETER, permissions_boundary
from venue_access.inventory.model import Venue
from venue_access.inventory.validators import Context, InvalidValue
from venue_access.provisioning.render import OrphanedVenue
from venue_access.provisioning.stack import Stack


def with_boundary(aws: AwsClient, venue: Venue) -> Venue:
    """Return the venue with its permissions boundary read from the SSM parameter that the inventory names, if any.

    :raises UsageError: the parameter does not exist, or does not hold a policy's name or ARN.
    :raises AccessDenied: the caller may not read it.
    """
    name = venue.boundary_parameter
    if name is None:
        return venue
    where = f"{venue.name}: permissions_boundary: the SSM parameter {name}"
    try:
        found = aws.parameter(name)
    except AccessDenied as error:
        raise AccessDenied(
            f"{where}: {error.message}",
            hint=f"the right to read it is part of: invoke operator-policy --venue {venue.name}",
            code=error.code,
        ) from error
    if found is None:
        raise UsageError(
            f"{where} does not exist in {venue.region} of {venue.account_id}",
            hint="ask the account's owner for the name of its boundary, and set permissions_boundary to it",
        )
    try:
        boundary = permissions_boundary(
            found.value.reveal(), Context(partition=venue.partition, account_id=venue.account_id)
        )
        if boundary.startswith(FROM_PARAMETER):
            raise InvalidValue(f"{boundary!r} must be the name or ARN of a policy, not another parameter")
    except InvalidValue as error:
        raise UsageError(f"{where}: {error}", hint="ask the account's owner to correct it") from error
    return replace(venue, permissions_boundary=boundary)


def check_boundary(aws: AwsClient, venue: Venue) -> None:
    """Check that the permissions boundary exists: AWS would refuse the role only after other objects were created.

    :param venue: as ``with_boundary`` returns it.
    :raises UsageError: it does not exist.
    """
    boundary = venue.permissions_boundary_arn
    if boundary is not None and not aws.managed_policy_exists(boundary):
        raise UsageError(
            f"{venue.name}: permissions_boundary: there is no policy {boundary}",
            hint="ask the account's owner for the name of its boundary",
        )


def with_known_boundaries(stack: Stack, read: Mapping[str, str | None], last: Mapping[str, OrphanedVenue]) -> Stack:
    """Return the stack with the permissions boundaries that SSM parameters hold.

    :param read: the boundaries that this run has read, by venue.
    :param last: the venues as last rendered, for those that this run has not read and does not apply.
    """
    found = {name: each.data.get("permissions_boundary") for name, each in last.items()} | dict(read)
    venues = (
        venue if venue.boundary_parameter is None else replace(venue, permissions_boundary=found.get(venue.name))
        for venue in stack.venues
    )
    return replace(stack, venues=tuple(venues))

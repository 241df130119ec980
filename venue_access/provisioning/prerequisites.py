"""What must be so before anything of a venue is changed."""

from __future__ import annotations

from venue_access.aws import Aws
from venue_access.errors import RequestError
from venue_access.inventory.model import Venue


def check_boundary(aws: Aws, venue: Venue) -> None:
    """See that the permissions boundary exists: AWS would refuse the role only after other things were made.

    :raises RequestError: it does not.
    """
    boundary = venue.permissions_boundary_arn
    if boundary is not None and not aws.managed_policy_exists(boundary):
        raise RequestError(
            f"{venue.name}: permissions_boundary: there is no policy {boundary}",
            hint="ask the account's owner for the name of its boundary",
        )

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


def find_buckets(aws: Aws, venue: Venue) -> tuple[str, ...]:
    """The venue's data buckets: the inventory's, or the one that the platform's parameter names.

    :raises RequestError: neither is there.
    """
    if venue.s3_buckets is not None:
        return venue.s3_buckets
    found = aws.parameter(venue.datastore_parameter)
    if found is None:
        raise RequestError(
            f"{venue.name}: its data bucket is not known: there is no SSM parameter {venue.datastore_parameter}",
            hint="name the bucket with s3_buckets in the inventory",
        )
    return (found.value.reveal(),)

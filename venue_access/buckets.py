"""Which buckets a venue's data is in."""

from __future__ import annotations

from venue_access.aws import Aws
from venue_access.errors import AccessRefused, RequestError
from venue_access.inventory.model import Venue


def find_buckets(aws: Aws, venue: Venue) -> tuple[str, ...]:
    """The venue's data buckets: the inventory's, or the one that the platform's parameter names.

    :raises RequestError: neither is there.
    :raises AccessRefused: the parameter may not be read.
    """
    if venue.s3_buckets is not None:
        return venue.s3_buckets
    hint = "name the bucket with s3_buckets in the inventory"
    try:
        found = aws.parameter(venue.datastore_parameter)
    except AccessRefused as error:
        raise AccessRefused(
            f"{venue.name}: its data bucket is not known: {error.message}",
            hint=f"{hint}; what reading it needs is in: invoke operator-policy --venue {venue.name}",
            code=error.code,
        ) from error
    if found is None:
        raise RequestError(
            f"{venue.name}: its data bucket is not known: there is no SSM parameter {venue.datastore_parameter}",
            hint=hint,
        )
    return (found.value.reveal(),)

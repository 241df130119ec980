"""Which buckets a venue's data is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from venue_access.aws.client import AwsClient
from venue_access.errors import AccessDenied, UsageError, VenueAccessError
from venue_access.inventory import validators as checks
from venue_access.inventory.bucket_uses import other_use_of_found
from venue_access.inventory.model import Venue


class BucketInUse(UsageError):
    """The data bucket that the platform's parameter names is used for something else.

    :param bucket: its name.
    :param reason: what it is used for.
    """

    def __init__(self, venue: Venue, bucket: str, reason: str) -> None:
        self.bucket = bucket
        self.reason = reason
        super().__init__(
            f"{venue.name}: the bucket {bucket!r}, which the SSM parameter {venue.datastore_parameter} names, {reason}:"
            " a token would reach that",
            hint="correct the parameter, or name the venue's own bucket with s3_buckets in the inventory",
        )


def find_buckets(aws: AwsClient, venue: Venue) -> tuple[str, ...]:
    """Return the venue's data buckets: the inventory's, or the one that the platform's parameter names.

    :raises UsageError: neither is given, or the parameter holds no bucket name.
    :raises BucketInUse: the bucket that was found is used for something else.
    :raises AccessDenied: the parameter may not be read.
    """
    if venue.s3_buckets is not None:
        return venue.s3_buckets
    hint = "name the bucket with s3_buckets in the inventory"
    try:
        found = aws.parameter(venue.datastore_parameter)
    except AccessDenied as error:
        raise AccessDenied(
            f"{venue.name}: its data bucket is not known: {error.message}",
            hint=f"{hint}; what reading it needs is in: invoke operator-policy --venue {venue.name}",
            code=error.code,
        ) from error
    if found is None:
        raise UsageError(
            f"{venue.name}: its data bucket is not known: there is no SSM parameter {venue.datastore_parameter}",
            hint=hint,
        )
    try:
        bucket = checks.bucket(found.value.reveal())
    except checks.InvalidValue as unfit:
        raise UsageError(f"{venue.name}: the SSM parameter {venue.datastore_parameter}: {unfit}", hint=hint) from unfit
    reason = other_use_of_found(venue, bucket)
    if reason is not None:
        raise BucketInUse(venue, bucket, reason)
    return (bucket,)


def find_buckets_of_others(aws: AwsClient, venues: Sequence[Venue], inventory: Iterable[Venue]) -> None:
    """Find the data buckets of the account's other venues, for ``find_buckets`` to compare those of ``venues`` with.

    What this caller may not read, or is not there, is left out.
    """
    if all(venue.s3_buckets is not None for venue in venues):
        return  # what the inventory names was compared when it was read
    account, names = _account(venues[0]), {venue.name for venue in venues}
    for other in inventory:
        if other.s3_buckets is None and other.name not in names and _account(other) == account:
            with suppress(VenueAccessError):
                find_buckets(aws.in_region(other.region), other)


def _account(venue: Venue) -> tuple[object, ...]:
    return (venue.partition, venue.account_id, venue.emulator, venue.aws_endpoint_url)

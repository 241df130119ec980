"""The SSM parameters of a venue: the one that names its data bucket, and the one that holds its external ID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import AccessDenied, AwsError, UsageError, VenueAccessError
from venue_access.inventory import validators
from venue_access.inventory.cross_validation import other_use_of_found
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId

_PRESERVED = ("Type", "KeyId", "Tier", "DataType", "Description", "AllowedPattern")


class BucketInUse(UsageError):
    """The data bucket that the platform's parameter names is used for something else.

    :param reason: what it is used for.
    """

    def __init__(self, venue: Venue, bucket: str, reason: str) -> None:
        self.bucket = bucket
        self.reason = reason
        super().__init__(
            f"{venue.name}: the bucket {bucket!r}, which the SSM parameter {venue.datastore_parameter} names, {reason}:"
            " a token would have access to that",
            hint="correct the parameter, or name the venue's own bucket with s3_buckets in the inventory",
        )


def find_buckets(aws: AwsClient, venue: Venue) -> tuple[str, ...]:
    """Return the venue's data buckets: those in the inventory, or the one that the platform's parameter names.

    :raises UsageError: neither exists, or the parameter's value is not a bucket name.
    :raises BucketInUse: the bucket that the parameter names is used for something else.
    :raises AccessDenied: the caller may not read the parameter.
    """
    if venue.s3_buckets is not None:
        return venue.s3_buckets
    hint = "name the bucket with s3_buckets in the inventory"
    try:
        found = aws.parameter(venue.datastore_parameter)
    except AccessDenied as error:
        raise AccessDenied(
            f"{venue.name}: unknown data bucket: {error.message}",
            hint=f"{hint}; the permission to read it is in: invoke operator-policy --venue {venue.name}",
            code=error.code,
        ) from error
    if found is None:
        raise UsageError(
            f"{venue.name}: unknown data bucket: the SSM parameter {venue.datastore_parameter} does not exist",
            hint=hint,
        )
    try:
        bucket = validators.bucket(found.value.reveal())
    except validators.InvalidValue as error:
        raise UsageError(f"{venue.name}: the SSM parameter {venue.datastore_parameter}: {error}", hint=hint) from error
    reason = other_use_of_found(venue, bucket)
    if reason is not None:
        raise BucketInUse(venue, bucket, reason)
    return (bucket,)


def find_buckets_of_others(aws: AwsClient, venues: Sequence[Venue], inventory: Iterable[Venue]) -> None:
    """Find the data buckets of the account's other venues, which ``find_buckets`` compares those of ``venues`` with.

    A parameter that does not exist, or that the caller may not read, is left out.
    """
    if all(venue.s3_buckets is not None for venue in venues):
        return  # the inventory's validation has compared the buckets that it names
    names = {venue.name for venue in venues}
    for other in inventory:
        if other.s3_buckets is None and other.name not in names and other.account == venues[0].account:
            with suppress(VenueAccessError):
                find_buckets(aws.in_region(other.region), other)


def overwrite_parameter(aws: AwsClient, name: str, value: ExternalId) -> None:
    """Write a new value to an SSM parameter that exists, and preserve its other attributes.

    PutParameter resets what a request leaves out: without a ``KeyId`` it encrypts with the account's default key (SSM
    API, "PutParameter"). So the request repeats all of them.

    :raises AwsError: the parameter does not exist.
    """
    found = parameter_metadata(aws, name)
    preserved = {attribute: found[attribute] for attribute in _PRESERVED if found.get(attribute)}
    aws.call("ssm", "put_parameter", hide=(value,), Name=name, Value=value.reveal(), Overwrite=True, **preserved)


def parameter_metadata(aws: AwsClient, name: str) -> Mapping[str, Any]:
    """Return the metadata of an SSM parameter, such as its ``KeyId``, from DescribeParameters.

    :raises AwsError: the parameter does not exist.
    """
    named = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    # A page may be empty although another follows.
    pages = aws.pages("ssm", "describe_parameters", ParameterFilters=named)
    found: Mapping[str, Any] | None = next((each for page in pages for each in page["Parameters"]), None)
    if found is None:
        raise AwsError(f"the SSM parameter {name} does not exist", hint="run the command again")
    return found


def secure_string_steps(venue: Venue) -> str:
    """Return the steps that replace a venue's unencrypted parameter by a SecureString: AWS does not change a type.

    A deleted name can be used again after 30 seconds (SSM API, "DeleteParameter").
    """
    endpoint = f" --endpoint-url {venue.aws_endpoint_url}" if venue.aws_endpoint_url else ""
    return (
        f"{venue.name}: the SSM parameter of its external ID is not encrypted; a SecureString is."
        " AWS does not change the type of a parameter. To replace it while no rotation is in progress:"
        f" aws ssm delete-parameter --region {venue.region}{endpoint} --name {venue.external_id_parameter};"
        f" wait 30 seconds; invoke provision --venue {venue.name}."
        " The external ID stays the same; in between, no token can be issued with the stored one"
    )

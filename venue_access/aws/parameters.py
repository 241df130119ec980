"""The SSM parameter of an external ID: its attributes, which outlive a new value, and its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import AwsError
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId

_KEPT = ("Type", "KeyId", "Tier", "DataType", "Description", "AllowedPattern")


def overwrite_parameter(aws: AwsClient, name: str, value: ExternalId) -> None:
    """Put a new value into an SSM parameter that exists, and keep its other attributes.

    PutParameter resets what a request leaves out: without a ``KeyId`` it encrypts with the account's default key (SSM
    API, "PutParameter"). So everything that it takes is sent again.

    :raises AwsError: the parameter does not exist.
    """
    found = parameter_metadata(aws, name)
    kept = {attribute: found[attribute] for attribute in _KEPT if found.get(attribute)}
    aws.call("ssm", "put_parameter", hide=(value,), Name=name, Value=value.reveal(), Overwrite=True, **kept)


def parameter_metadata(aws: AwsClient, name: str) -> Mapping[str, Any]:
    """Return what DescribeParameters says of an SSM parameter that exists, such as its ``KeyId``.

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
    """Return how a person replaces a venue's parameter of another type, which AWS does not change, by a SecureString.

    A deleted name can be used again after 30 seconds (SSM API, "DeleteParameter").
    """
    endpoint = f" --endpoint-url {venue.aws_endpoint_url}" if venue.aws_endpoint_url else ""
    return (
        f"{venue.name}: the SSM parameter of its external ID is not encrypted; a SecureString is."
        " AWS changes no type in place. To replace it while no rotation is under way:"
        f" aws ssm delete-parameter --region {venue.region}{endpoint} --name {venue.external_id_parameter};"
        f" wait 30 seconds; invoke provision --venue {venue.name}."
        " The external ID stays the same; in between, no token can be issued with the stored one"
    )

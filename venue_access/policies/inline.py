"""Read and write the inline policies of a role, which Terraform does not manage: the kit's revocations are some."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.policies.documents import Policy, compact, parse_policy


def names_of(aws: AwsClient, role_name: str) -> tuple[list[str], datetime | None]:
    """Return the names of a role's inline policies, and AWS's own time (UTC) if its response has one.

    :raises AwsError: there is no such role.
    """
    pages = aws.pages("iam", "list_role_policies", RoleName=role_name)
    return [name for page in pages for name in page["PolicyNames"]], _time_of(pages[-1])


def read(aws: AwsClient, role_name: str, name: str) -> Policy | None:
    """Return an inline policy of a role; None if there is none of this name."""
    response = aws.find("iam", "get_role_policy", RoleName=role_name, PolicyName=name)
    return None if response is None else parse_policy(response["PolicyDocument"])


def write(aws: AwsClient, role_name: str, name: str, policy: Policy) -> None:
    """Put an inline policy on a role."""
    aws.call("iam", "put_role_policy", RoleName=role_name, PolicyName=name, PolicyDocument=compact(policy))


def remove(aws: AwsClient, role_name: str, name: str) -> bool:
    """Delete an inline policy of a role, and return whether it existed."""
    return aws.find("iam", "delete_role_policy", RoleName=role_name, PolicyName=name) is not None


def _time_of(response: Mapping[str, Any]) -> datetime | None:
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return None if date is None else parsedate_to_datetime(date).astimezone(timezone.utc)
    except ValueError:
        return None

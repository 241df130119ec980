"""The inline policies of a role, beside Terraform: what revokes tokens is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.policies.documents import Policy


def names_of(aws: AwsClient, role_name: str) -> tuple[list[str], datetime | None]:
    """The names of a role's inline policies, and AWS's own time when it told them (UTC), where it gave one.

    :raises AwsError: there is no such role.
    """
    pages = aws.pages("iam", "list_role_policies", RoleName=role_name)
    return [name for page in pages for name in page["PolicyNames"]], _told_time(pages[-1])


def read(aws: AwsClient, role_name: str, name: str) -> Policy | None:
    """An inline policy of a role; None where there is none of this name."""
    answer = aws.find("iam", "get_role_policy", RoleName=role_name, PolicyName=name)
    if answer is None:
        return None
    document = answer["PolicyDocument"]
    found: Policy = json.loads(document) if isinstance(document, str) else document
    return found


def write(aws: AwsClient, role_name: str, name: str, policy: Policy) -> None:
    """Put an inline policy on a role."""
    document = json.dumps(policy, separators=(",", ":"))
    aws.call("iam", "put_role_policy", RoleName=role_name, PolicyName=name, PolicyDocument=document)


def remove(aws: AwsClient, role_name: str, name: str) -> bool:
    """Take an inline policy off a role; whether it was there."""
    return aws.find("iam", "delete_role_policy", RoleName=role_name, PolicyName=name) is not None


def _told_time(answer: Mapping[str, Any]) -> datetime | None:
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return None if told is None else parsedate_to_datetime(told).astimezone(timezone.utc)
    except ValueError:
        return None

"""The policies that revoke tokens: STS cannot withdraw credentials, but a role's inline policy can deny all they do.

Each revocation is a separate policy, since PutRolePolicy has no compare-and-swap: two operators who revoke at the same
time lose neither. Its name has its expiry, so that it can be removed without being read:

    venue-access-revoke-20261121T101500Z-1a2b3c4d
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import user_part
from venue_access.policies.documents import INLINE_POLICIES_LIMIT, VERSION, Policy, compact, parse_policy, size
from venue_access.times import iso, parse_iso

REVOCATION_PREFIX = "venue-access-revoke-"
"""How the names of the inline policies begin that revoke tokens."""
LONGEST_SESSION = timedelta(hours=12)
"""No session of a role lasts longer (AWS STS API reference, AssumeRole). The role's present maximum is not used: it may
have been longer when the token was issued."""

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(re.escape(REVOCATION_PREFIX) + r"(\d{8}T\d{6}Z)-[0-9a-f]{8}", re.ASCII)
_USER_ID, _ISSUED = "aws:userid", "aws:TokenIssueTime"
_TAIL = "-20??????T??????Z-????????"
"""Pattern of a session name after the user's part. Its length is fixed, so that ``alice-b`` does not match ``alice``;
names contain neither ``*`` nor ``?`` (AWS STS API reference, AssumeRole)."""


@dataclass(frozen=True)
class Revocation:
    """The tokens to deny: those of one session, of one user, or all."""

    session: str | None = None
    user: str | None = None
    issued_before: datetime | None = None
    """UTC, whole seconds: deny only what was issued before. None for a session, which is denied by its name."""

    @property
    def scope(self) -> str:
        """Return ``session``, ``user`` or ``all``."""
        return "session" if self.session is not None else "user" if self.user is not None else "all"

    def __str__(self) -> str:
        if self.session is not None:
            return f"the session {self.session}"
        whose = "everybody's tokens" if self.user is None else f"the tokens of {self.user}"
        return f"{whose} issued before {self.issued_before:%Y-%m-%d %H:%M:%S} UTC"


def user_pattern(user: str) -> str:
    """Return the ``StringLike`` pattern of the session names of a user's tokens."""
    return user_part(user) + _TAIL


def deny(revocation: Revocation, role_id: str) -> Policy:
    """Return the policy document of a revocation.

    ``aws:userid`` of a role's session is ``<role id>:<session name>``, and ``aws:TokenIssueTime`` when its credentials
    were issued, in whole seconds (IAM User Guide, "AWS global condition context keys", "Revoke IAM role temporary
    security credentials").
    """
    conditions: dict[str, dict[str, str]] = {}
    if revocation.session is not None:
        conditions["StringEquals"] = {_USER_ID: f"{role_id}:{revocation.session}"}
    else:
        assert revocation.issued_before is not None
        if revocation.user is not None:
            conditions["StringLike"] = {_USER_ID: f"{role_id}:{user_pattern(revocation.user)}"}
        conditions["DateLessThan"] = {_ISSUED: iso(revocation.issued_before)}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": conditions}
    return {"Version": VERSION, "Statement": [statement]}


def read(policy: Mapping[str, Any]) -> Revocation | None:
    """Return what a revocation's policy revokes; None if the kit did not write it, or it was changed since."""
    try:
        [statement] = policy["Statement"]
        conditions = statement["Condition"]
        [named] = [*conditions.get("StringEquals", {}).values(), *conditions.get("StringLike", {}).values()] or [":"]
        role_id, _, name = named.partition(":")
        if "StringEquals" in conditions:
            found = Revocation(session=name)
        else:
            before = parse_iso(conditions["DateLessThan"][_ISSUED])
            found = Revocation(user=name.removesuffix(_TAIL) or None, issued_before=before)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if deny(found, role_id)["Statement"] == [statement] else None


def policy_name(expires: datetime, unique: str) -> str:
    """Return the name of a revocation's policy.

    :param expires: when every token that it denies has expired; UTC.
    :param unique: eight hexadecimal digits.
    """
    return f"{REVOCATION_PREFIX}{expires:{_STAMP}}-{unique}"


def expiry(name: str) -> datetime | None:
    """Return when a revocation's policy can be removed, in UTC; None if the name is not a revocation's."""
    written = _NAME.fullmatch(name)
    try:
        return datetime.strptime(written[1], _STAMP).replace(tzinfo=timezone.utc) if written else None
    except ValueError:
        return None


def superseded(policies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the revocations that a later revocation of all tokens makes redundant, the oldest first.

    :param policies: a role's inline policies, by name.
    """
    found = {name: read(policy) for name, policy in policies.items() if expiry(name) is not None}
    every = [(each.issued_before, name) for name, each in found.items() if each and each.scope == "all"]
    if not every:
        return []
    latest, its_name = max((before, name) for before, name in every if before is not None)
    before = {name: each.issued_before for name, each in found.items() if each is not None and name != its_name}
    covered = [name for name, moment in before.items() if moment is not None and moment <= latest]
    # A session's token was issued before its revocation was created.
    covered += [name for name, moment in before.items() if moment is None and _stamp(name) <= _stamp(its_name)]
    return sorted(covered, key=_stamp)


def room(policies: Iterable[Mapping[str, Any]]) -> int:
    """Return the characters that a role has left for inline policies, given those it has."""
    return INLINE_POLICIES_LIMIT - sum(size(policy) for policy in policies)


def room_for_all(role_id: str) -> int:
    """Return the characters to leave free, so that all tokens can always be revoked."""
    return size(deny(Revocation(issued_before=datetime(2000, 1, 1, tzinfo=timezone.utc)), role_id))


def _stamp(name: str) -> str:
    """Return the expiry in a revocation's name, as text that sorts by time."""
    return name.removeprefix(REVOCATION_PREFIX)


# -- the inline policies of a role, which Terraform does not manage ---------------------------------------------------


def inline_names(aws: AwsClient, role_name: str) -> tuple[list[str], datetime | None]:
    """Return the names of a role's inline policies, and AWS's own time (UTC) if its response has one.

    :raises AwsError: there is no such role.
    """
    pages = aws.pages("iam", "list_role_policies", RoleName=role_name)
    names = [name for page in pages for name in page["PolicyNames"]]
    date = pages[-1].get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return names, None if date is None else parsedate_to_datetime(date).astimezone(timezone.utc)
    except ValueError:
        return names, None


def read_inline(aws: AwsClient, role_name: str, name: str) -> Policy | None:
    """Return an inline policy of a role; None if there is none of this name."""
    response = aws.find("iam", "get_role_policy", RoleName=role_name, PolicyName=name)
    return None if response is None else parse_policy(response["PolicyDocument"])


def write_inline(aws: AwsClient, role_name: str, name: str, policy: Policy) -> None:
    """Put an inline policy on a role."""
    aws.call("iam", "put_role_policy", RoleName=role_name, PolicyName=name, PolicyDocument=compact(policy))


def remove_inline(aws: AwsClient, role_name: str, name: str) -> bool:
    """Delete an inline policy of a role, and return whether it existed."""
    return aws.find("iam", "delete_role_policy", RoleName=role_name, PolicyName=name) is not None

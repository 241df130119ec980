"""The policies that revoke tokens: STS takes no credentials back, but a role's inline policy can deny all they do.

Each is a policy of its own, since PutRolePolicy has no compare-and-swap: two operators at once lose neither. Its name
tells until when it is needed, so that it can be taken off without being read:

    venue-access-revoke-20261121T101500Z-1a2b3c4d
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.aws.identity import user_part
from venue_access.policies.documents import INLINE_POLICIES_LIMIT, REVOCATION_PREFIX, Policy, size
from venue_access.times import iso, parse_iso

LONGEST_SESSION = timedelta(hours=12)
"""No session of a role lasts longer (AWS STS API reference, AssumeRole). The role's own maximum does not count: it may
have been longer when the token was issued."""

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(re.escape(REVOCATION_PREFIX) + r"(\d{8}T\d{6}Z)-[0-9a-f]{8}", re.ASCII)
_USER_ID, _ISSUED = "aws:userid", "aws:TokenIssueTime"
_TAIL = "-20??????T??????Z-????????"
"""Of a session name after the user's part. Its length is fixed, so that ``alice-b`` is not taken for ``alice``; names
have neither ``*`` nor ``?`` in them (AWS STS API reference, AssumeRole)."""


@dataclass(frozen=True)
class Revocation:
    """Tokens that are to be denied: those of a session, of a user, or all."""

    session: str | None = None
    user: str | None = None
    issued_before: datetime | None = None
    """UTC, whole seconds: of a user's or all tokens those that were issued before. A session is denied by its name."""

    @property
    def scope(self) -> str:
        """``session``, ``user`` or ``all``."""
        return "session" if self.session is not None else "user" if self.user is not None else "all"

    def __str__(self) -> str:
        if self.session is not None:
            return f"the session {self.session}"
        whose = "everybody's tokens" if self.user is None else f"the tokens of {self.user}"
        return f"{whose} issued before {self.issued_before:%Y-%m-%d %H:%M:%S} UTC"


def user_pattern(user: str) -> str:
    """What the session names of a user's tokens are like, for ``StringLike``."""
    return user_part(user) + _TAIL


def deny(revocation: Revocation, role_id: str) -> Policy:
    """The policy that revokes.

    ``aws:userid`` of a role's session is ``<role id>:<session name>``, and ``aws:TokenIssueTime`` when its credentials
    were issued, in whole seconds (IAM User Guide, "AWS global condition context keys", "Revoke IAM role temporary
    security credentials").
    """
    conditions: dict[str, dict[str, str]] = {}
    if revocation.session is not None:
        conditions["StringEquals"] = {_USER_ID: f"{role_id}:{revocation.session}"}
    elif revocation.user is not None:
        conditions["StringLike"] = {_USER_ID: f"{role_id}:{user_pattern(revocation.user)}"}
    if revocation.session is None:
        assert revocation.issued_before is not None
        conditions["DateLessThan"] = {_ISSUED: iso(revocation.issued_before)}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": conditions}
    return {"Version": "2012-10-17", "Statement": [statement]}


def read(policy: Mapping[str, Any]) -> Revocation | None:
    """What a policy of ours revokes; None where it was not written here, or was changed since."""
    try:
        [statement] = policy["Statement"]
        conditions = statement["Condition"]
        [named] = [*conditions.get("StringEquals", {}).values(), *conditions.get("StringLike", {}).values()] or [":"]
        role_id, _, name = named.partition(":")
        before = None
        if "DateLessThan" in conditions:
            before = parse_iso(conditions["DateLessThan"][_ISSUED])
        if "StringEquals" in conditions:
            found = Revocation(session=name)
        elif before is not None:
            found = Revocation(user=name.removesuffix(_TAIL) or None, issued_before=before)
        else:
            return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if deny(found, role_id)["Statement"] == [statement] else None


def policy_name(expires: datetime, unique: str) -> str:
    """The name of a revocation's policy.

    :param expires: when no token is left that it denies; UTC.
    :param unique: eight hexadecimal digits.
    """
    return f"{REVOCATION_PREFIX}{expires:{_STAMP}}-{unique}"


def expiry(name: str) -> datetime | None:
    """When a policy of this name is needed no more, in UTC; None for a policy that is no revocation of ours."""
    written = _NAME.fullmatch(name)
    try:
        return datetime.strptime(written[1], _STAMP).replace(tzinfo=timezone.utc) if written else None
    except ValueError:
        return None


def superseded(policies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The revocations among a role's inline policies that deny nothing which a later one of all tokens does not.

    :returns: their names, the oldest first.
    """
    found = {name: read(policy) for name, policy in policies.items() if expiry(name) is not None}
    every = [(each.issued_before, name) for name, each in found.items() if each and each.scope == "all"]
    if not every:
        return []
    latest, its_name = max((before, name) for before, name in every if before is not None)

    def is_covered(name: str, revocation: Revocation | None) -> bool:
        if revocation is None or name == its_name:
            return False
        if revocation.issued_before is not None:
            return revocation.issued_before <= latest
        return _stamp(name) <= _stamp(its_name)  # a session's was made before, so its token was issued before

    return sorted((name for name, each in found.items() if is_covered(name, each)), key=_stamp)


def room(policies: Iterable[Mapping[str, Any]]) -> int:
    """The characters that are left for a role's inline policies, given those it has."""
    return INLINE_POLICIES_LIMIT - sum(_size(policy) for policy in policies)


def room_for_all(role_id: str) -> int:
    """The characters that are kept free, so that everything can always be revoked at once."""
    return size(deny(Revocation(issued_before=datetime(2000, 1, 1, tzinfo=timezone.utc)), role_id))


def _stamp(name: str) -> str:
    """When a revocation's policy is needed no more, as its name has it: later ones are greater."""
    return name.removeprefix(REVOCATION_PREFIX)


def _size(policy: Mapping[str, Any]) -> int:
    return len(json.dumps(policy, separators=(",", ":"), ensure_ascii=True))

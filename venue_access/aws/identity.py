"""Who calls AWS, and whether a venue's role can be assumed from there."""

from __future__ import annotations

import hashlib
import re

from venue_access.aws.client import AwsClient, CallerIdentity
from venue_access.errors import Unreachable
from venue_access.inventory.model import Venue

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
"""AWS STS API reference, AssumeRole, RoleSessionName."""
_WITH_HASH = re.compile(r".*-[0-9a-f]{12}", re.ASCII)
_OWN_KEYS = "export keys of that account, or set aws_profile or operator_role_arn in the inventory"


def caller_in_account(aws: AwsClient, venue: Venue, *, hint: str = _OWN_KEYS) -> CallerIdentity:
    """Who calls, from the venue's own account.

    :raises Unreachable: these keys are of another account, where the venue's things would seem not to exist.
    """
    caller = aws.caller()
    if caller.account_id != venue.account_id:
        raise Unreachable(
            f"{venue.name} is in account {venue.account_id}, but your keys are of account {caller.account_id}",
            hint=hint,
        )
    return caller


def person(caller: CallerIdentity) -> str:
    """Return the name of who calls: of an IAM user, or of the session that the account portal named after them."""
    kind, _, name = caller.arn.split(":", 5)[5].partition("/")
    return name.rpartition("/")[2] if name else f"{kind}@{caller.account_id}"  # only the root user has none


def session_name(name: str) -> str:
    """Return a role session name for a person: their own name where AWS takes it, else what it takes of it and a hash.

    No two names become one: a name that looks as if it had a hash gets one too.
    """
    if _SESSION_NAME.fullmatch(name) and not _WITH_HASH.fullmatch(name):
        return name
    taken = re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:51]
    return f"{taken}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def why_not_trusted(venue: Venue, caller: CallerIdentity) -> str | None:
    """Why this caller could not assume the role even with the right external ID; None where nothing speaks against.

    The inventory's ``source_cidrs`` and ``principal_org_id`` are not looked at: they cannot be known from here.
    """
    if venue.require_mfa and caller.is_role_session:
        return "the role demands MFA, which the session of a role never carries"
    if venue.require_mfa and not caller.has_session:
        return "the role demands MFA, which long-term keys alone never carry: begin a session (invoke account.mfa)"
    if not any(_covers(principal, caller) for principal in venue.trusted_principals):
        return f"{caller.arn} is not one of the venue's trusted_principals"
    return None


def _covers(principal: str, caller: CallerIdentity) -> bool:
    account, resource = principal.split(":", 5)[4:]
    if account != caller.account_id:
        return False
    if resource == "root":
        return True
    kind, _, name = resource.partition("/")
    if kind == "role":  # a session's ARN has the role's name without its path
        return f":assumed-role/{name.rpartition('/')[2]}/" in caller.arn
    return principal == caller.arn

"""Who calls AWS, whether a venue's role trusts the caller, and the names of role sessions."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

from venue_access.aws.client import AwsClient, CallerIdentity
from venue_access.errors import CredentialsError, UsageError
from venue_access.inventory.model import Venue

CHAINED = 3_600
"""The maximum seconds of a session that a role session assumes (IAM User Guide, "Role chaining")."""
_LONGEST = 64
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)  # AWS STS API reference, AssumeRole, RoleSessionName
_WITH_HASH = re.compile(r".*-[0-9a-f]{12}", re.ASCII)
_OF_A_TOKEN = re.compile(r".+-20\d{6}T\d{6}Z-[0-9a-z]{8}", re.ASCII)
LONGEST_USER = _LONGEST - len("-20261120T221500Z-3f9c21ab")
"""The characters that a token's role session name has for the user's name; a longer name is cut."""
_OTHER_ACCOUNT = "export credentials of that account, or set aws_profile or operator_role_arn in the inventory"


def caller_in_account(aws: AwsClient, venue: Venue, *, hint: str = _OTHER_ACCOUNT) -> CallerIdentity:
    """Return the caller, who must be in the venue's account.

    :raises CredentialsError: the credentials are of another account, where the venue's resources do not exist.
    """
    caller = aws.caller()
    if caller.account_id != venue.account_id:
        raise CredentialsError(
            f"{venue.name} is in account {venue.account_id}, but your credentials are of account {caller.account_id}",
            hint=hint,
        )
    return caller


def why_not_trusted(venue: Venue, caller: CallerIdentity) -> str | None:
    """Return why the caller cannot assume the role even with the right external ID; None if no reason is known.

    The conditions ``source_cidrs`` and ``principal_org_id`` cannot be evaluated here.
    """
    if venue.require_mfa and caller.is_role_session:
        return "the role requires MFA, which a role session never carries"
    if venue.require_mfa and not caller.has_session:
        return "the role requires MFA, which an access key alone never carries: begin a session (invoke account.mfa)"
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


# -- role session names ------------------------------------------------------------------------------------------------


def person(caller: CallerIdentity) -> str:
    """Return the name of the caller: an IAM user's, or that of a session, which the account portal named after them."""
    kind, _, name = caller.arn.split(":", 5)[5].partition("/")
    return name.rpartition("/")[2] if name else f"{kind}@{caller.account_id}"  # only the root user has no name


def session_name(name: str) -> str:
    """Return a role session name for an operator: their own name if AWS accepts it, else its valid part and a hash.

    No two names give the same: a name that ends like a hash gets a hash too.
    """
    if _SESSION_NAME.fullmatch(name) and not _WITH_HASH.fullmatch(name):
        return name
    valid = re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:51]
    return f"{valid}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def role_session_name(user: str, issued: datetime, *, unique: str | None = None) -> str:
    """Return the role session name of a token, unique for each issue so that one token can be revoked.

    Such as ``alice-20261120T221500Z-3f9c21ab``.

    :param user: a recipient's name, which the inventory has checked against AWS's rule.
    :param issued: UTC.
    :param unique: eight characters; random by default.
    """
    return f"{user_part(user)}-{issued:%Y%m%dT%H%M%SZ}-{unique or secrets.token_hex(4)}"


def user_part(user: str) -> str:
    """Return the part of the user's name that a role session name holds: at most its first 38 characters."""
    return user[:LONGEST_USER]


def is_of_a_token(name: str) -> bool:
    """Return whether a name has the form that ``role_session_name`` gives; an incomplete copy does not."""
    return _OF_A_TOKEN.fullmatch(name) is not None


# -- durations of role sessions ----------------------------------------------------------------------------------------


def check_duration_for_caller(seconds: int, caller: CallerIdentity) -> None:
    """Refuse a duration that AWS refuses to this caller, whichever the role.

    :raises UsageError: the caller is a role session, and not that of an EC2 instance.
    """
    if caller.chains and seconds > CHAINED:
        raise UsageError(
            f"--duration of {seconds} s: your credentials are a role session ({caller.arn}), and AWS caps a role that"
            f" is assumed from one at {CHAINED} s (role chaining)",
            hint="ask for 1h or less, or issue with the credentials of an IAM user",
        )


def check_duration_for_role(seconds: int, role_maximum: int) -> None:
    """Refuse a duration that exceeds the role's maximum.

    :raises UsageError: it does.
    """
    if seconds > role_maximum:
        raise UsageError(
            f"--duration of {seconds} s is more than the role's maximum of {role_maximum} s",
            hint="ask for less, or raise max_session_duration in the inventory and provision the venue",
        )

"""The environment variables of an account's credentials, and the shell statements that set and unset them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from venue_access.accounts.profiles import MFA_SUFFIX
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.times import iso
from venue_access.tokens.formats import find_format
from venue_access.tokens.shell_formats import CONFLICTING, SHELLS
from venue_access.tokens.shell_formats import statements as shell_statements

ACCOUNT_VARIABLE = "VENUE_ACCESS_ACCOUNT"
"""Holds the name of the account whose credentials a shell has: ``work``, or ``work-MFA-STS``."""
DEFAULT_REGION = "us-east-1"

UNSET: Mapping[str, str | None] = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", *CONFLICTING, ACCOUNT_VARIABLE),
    )
)
"""Every variable that the kit sets in a shell; None unsets a variable."""


def region_of(own: str | None, environ: Mapping[str, str]) -> str:
    """Return an account's own region, the shell's, or us-east-1."""
    return own or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


def variables(
    account_name: str, credentials: Credentials, expiration: datetime | None, region: str, *, legacy: bool = False
) -> dict[str, str | None]:
    """Return the variables of an account's credentials; None unsets a variable.

    ``AWS_SECURITY_TOKEN`` is the session token's older name. ``legacy`` adds the variables of the old EC2 tools.
    """
    secret = credentials.secret_access_key.reveal()
    token = credentials.session_token.reveal() if credentials.session_token is not None else None
    old = {"AWS_ACCESS_KEY": credentials.access_key_id, "AWS_SECRET_KEY": secret, "AWS_DELEGATION_TOKEN": token}
    return {
        **UNSET,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_SECURITY_TOKEN": token,
        "AWS_CREDENTIAL_EXPIRATION": iso(expiration) if expiration is not None else None,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        ACCOUNT_VARIABLE: account_name,
        **(old if legacy else {}),
    }


def statements(values: Mapping[str, str | None], format: str) -> str:
    """Return the statements that set variables; an endpoint and a CA bundle that the kit set for a token are unset.

    :raises UsageError: the format is not one of a shell.
    """
    find_format(format)
    if format not in SHELLS:
        raise UsageError(
            f"--format {format} is not for a shell", hint=f"the formats for shells are: {', '.join(SHELLS)}"
        )
    return shell_statements(SHELLS[format], values)


def active_account(environ: Mapping[str, str]) -> str:
    """Return the name of the account whose credentials a shell has.

    :raises UsageError: ``account.use`` and ``account.mfa`` have set none.
    """
    name = environ.get(ACCOUNT_VARIABLE, "")
    if not name:
        raise UsageError("No keys set", hint="name an account with --name, or set its credentials with account.use")
    return name.removesuffix(MFA_SUFFIX)


def whoami(environ: Mapping[str, str]) -> list[str]:
    """Return a line that names the account whose credentials a shell has, and a line with its region."""
    name, region = environ.get(ACCOUNT_VARIABLE), environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not environ.get("AWS_ACCESS_KEY_ID"):
        active = "No keys set"
    elif name:
        active = f"Keys set for {name} AWS account"
    else:
        active = f"Keys set that end in {environ['AWS_ACCESS_KEY_ID'][-4:]}, not by account.use"
    return [active, f"Region is {region}"] if region else [active]

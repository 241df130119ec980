"""What an account's keys are in a shell: which variables are set, and which are taken away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from venue_access.accounts.account import ESCALATED
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.tokens.formats import find_format, utc
from venue_access.tokens.shell_formats import CONFLICTING, SHELLS
from venue_access.tokens.shell_formats import statements as shell_statements

SHOWN = "VENUE_ACCESS_ACCOUNT"
"""Says in a shell whose keys are set: ``work``, or ``work-MFA-STS``."""
DEFAULT_REGION = "us-east-1"

_ALL = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", *CONFLICTING, SHOWN),
)


def region_of(own: str | None, environ: Mapping[str, str]) -> str:
    """The region of an account: its own, else the shell's, else us-east-1."""
    return own or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


def variables(
    shown: str, keys: Credentials, expiration: datetime | None, region: str, *, legacy: bool = False
) -> dict[str, str | None]:
    """The variables of an account's keys, by name; None is for one that is to be gone.

    ``AWS_SECURITY_TOKEN`` is the session token's older name. ``legacy`` adds those of the old EC2 tools.
    """
    secret = keys.secret_access_key.reveal()
    token = keys.session_token.reveal() if keys.session_token is not None else None
    old = {"AWS_ACCESS_KEY": keys.access_key_id, "AWS_SECRET_KEY": secret, "AWS_DELEGATION_TOKEN": token}
    return {
        **dict.fromkeys(_ALL),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_SECURITY_TOKEN": token,
        "AWS_CREDENTIAL_EXPIRATION": utc(expiration) if expiration is not None else None,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        SHOWN: shown,
        **(old if legacy else {}),
    }


def nothing() -> dict[str, str | None]:
    """Every such variable, to be gone."""
    return dict.fromkeys(_ALL)


def statements(given: Mapping[str, str | None], format: str) -> str:
    """Variables as a shell takes them; an endpoint and CA bundle that the kit set for a token are undone.

    :raises UsageError: the format is none of a shell.
    """
    find_format(format)
    if format not in SHELLS:
        raise UsageError(f"--format {format} is not for a shell", hint=f"those for shells are: {', '.join(SHELLS)}")
    return shell_statements(SHELLS[format], given)


def account_in_use(environ: Mapping[str, str]) -> str:
    """Return the name of the account whose keys a shell has.

    :raises UsageError: it has none that ``account.use`` or ``account.mfa`` set.
    """
    shown = environ.get(SHOWN, "")
    if not shown:
        raise UsageError("No keys set", hint="name an account with --name, or set one's keys with account.use")
    return shown.removesuffix(ESCALATED)


def whoami(environ: Mapping[str, str]) -> list[str]:
    """Whose keys a shell has, and its region: a sentence each."""
    shown, region = environ.get(SHOWN), environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not environ.get("AWS_ACCESS_KEY_ID"):
        whose = "No keys set"
    elif shown:
        whose = f"Keys set for {shown} AWS account"
    else:
        whose = f"Keys set that end in {environ['AWS_ACCESS_KEY_ID'][-4:]}, not by account.use"
    return [whose, f"Region is {region}"] if region else [whose]

"""What is known of an account of the operator's before AWS is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import ExternalId, Secret

ESCALATED = "-MFA-STS"
"""What is added to the name of an account whose MFA session is in use."""

_NAME = re.compile(r"[\w+=,.@][\w+=,.@-]{0,63}")
_KEY_ID = re.compile(r"\w{12,128}", re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True)
class AssumedRole:
    """The role that an AWS profile assumes: its ``role_arn`` and what goes with it."""

    arn: str
    external_id: ExternalId | None = None
    session_name: str | None = None
    duration: int | None = None
    """Seconds."""


@dataclass(frozen=True)
class Account:
    """An account by the operator's own name for it, and how to come by its long-term keys."""

    name: str
    source: str
    """``folder``, ``keyring`` or ``profile``."""
    where: str
    """For people."""
    read_keys: Callable[[], Credentials]
    """Raises ``UsageError`` where others can read them, or where they are not what they should be."""
    partition: str = "aws"
    account_id: str | None = None
    user: str | None = None
    """The IAM user."""
    region: str | None = None
    mfa_serial: str | None = None
    mfa_process: str | None = None
    """A command that prints the code."""
    role: AssumedRole | None = None


def fits(name: str) -> bool:
    """Whether a name can be an account's: a file's name too, and a word of every shell."""
    return _NAME.fullmatch(name) is not None


def keys_of(where: str, access_key_id: str, secret_access_key: Secret) -> Credentials:
    """Long-term keys as they were read, without a line's end.

    :raises UsageError: they cannot be AWS's; the message does not show them.
    """
    if not _KEY_ID.fullmatch(access_key_id):
        raise UsageError(f"{where}: the access key is not one", hint="it is letters and digits, such as AKIA...")
    if not _SECRET.fullmatch(secret_access_key.reveal()):
        raise UsageError(f"{where}: the secret key is not one", hint="it is one word, without spaces or a line's end")
    return Credentials(access_key_id, secret_access_key)

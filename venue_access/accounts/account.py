"""An operator's AWS account: its name, where its long-term credentials are, and its role."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import ExternalId, Secret

MFA_SUFFIX = "-MFA-STS"
"""The suffix of an account's name while its MFA session is active, as 42Lines' tools have it."""

_NAME = re.compile(r"[\w+=,.@][\w+=,.@-]{0,63}")
_KEY_ID = re.compile(r"\w{12,128}", re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True)
class ProfileRole:
    """The role that an AWS profile assumes."""

    arn: str
    external_id: ExternalId | None = None
    session_name: str | None = None
    duration: int | None = None
    """Seconds."""


@dataclass(frozen=True)
class Account:
    """An account under the operator's name for it."""

    name: str
    source: str
    """``folder``, ``keyring`` or ``profile``."""
    read_credentials: Callable[[], Credentials]
    """Reads the long-term credentials; raises ``UsageError`` if others can read them or they are malformed."""
    partition: str = "aws"
    account_id: str | None = None
    user: str | None = None
    """The IAM user."""
    region: str | None = None
    mfa_serial: str | None = None
    mfa_process: str | None = None
    """A command that prints an MFA code."""
    role: ProfileRole | None = None


def is_account_name(name: str) -> bool:
    """Return whether a name is valid for an account: it is part of a file name, and one word in every shell."""
    return _NAME.fullmatch(name) is not None


def parse_credentials(source: str, access_key_id: str, secret_access_key: Secret) -> Credentials:
    """Return long-term credentials.

    :param source: where they were read, for the message.
    :raises UsageError: they are malformed; the message does not show them.
    """
    if not _KEY_ID.fullmatch(access_key_id):
        raise UsageError(f"{source}: invalid access key ID", hint="expected letters and digits, such as AKIA...")
    if not _SECRET.fullmatch(secret_access_key.reveal()):
        raise UsageError(f"{source}: invalid secret access key", hint="expected one word without spaces")
    return Credentials(access_key_id, secret_access_key)

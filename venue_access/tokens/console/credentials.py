"""The credentials that a console session is made from: read, and seen to be of a kind that can sign in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from venue_access.aws.types import CallerIdentity, Credentials
from venue_access.errors import UsageError
from venue_access.sensitive import Secret

SHORTEST, LONGEST = 900, 43_200
"""Seconds of a ``SessionDuration`` (IAM User Guide, "Enable custom identity broker access to the AWS console")."""

_SHAPES = (
    ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
    ("access_key", "secret_key", "session_token", "expiration"),
)
_ACCESS_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)


@dataclass(frozen=True)
class ConsoleCredentials:
    """Short-term credentials."""

    keys: Credentials
    expiration: datetime | None = None
    """UTC; None where it is not known."""
    lends_duration: bool = False
    """Whether they are known to be of a role that was assumed without a chain: only then ``SessionDuration`` is sent.

    AWS fails the sign-in where it is sent for chained or GetFederationToken credentials. The ARN of somebody's session
    does not tell how it was begun, and without the parameter the console session lasts as long as the credentials, so
    for those from elsewhere it is left out: nothing is lost.
    """

    def session_duration(self, now: datetime) -> int | None:
        """The ``SessionDuration`` to ask for, in seconds: what is left of the credentials; None to leave it out.

        :raises UsageError: there are less than 900 s left.
        """
        if self.expiration is None:
            return None
        left = int((self.expiration - now).total_seconds())
        if left <= 0:
            raise UsageError("these credentials have expired", hint="get new ones")
        if left < SHORTEST:
            raise UsageError(
                f"these credentials last {left} s more, and AWS gives no console session for less than {SHORTEST} s",
                hint="get new ones",
            )
        return min(left, LONGEST) if self.lends_duration else None


def from_environment(variables: Mapping[str, str]) -> ConsoleCredentials:
    """The credentials in the environment; when they expire is known where ``AWS_CREDENTIAL_EXPIRATION`` tells.

    :raises UsageError: there are none, or long-term ones.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
    return _credentials(*(variables.get(name) or None for name in names), where="the environment")


def from_json(given: Secret) -> ConsoleCredentials:
    """The credentials of a document that ``issue-token``, the AWS CLI or a ``credential_process`` printed.

    :raises UsageError: it is none; nothing of it is quoted.
    """
    try:
        document: Any = json.loads(given.reveal())
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("Credentials"), dict):
        document = document["Credentials"]
    for shape in _SHAPES:
        if isinstance(document, dict) and shape[0] in document:
            return _credentials(*(document.get(key) for key in shape), where="standard input")
    raise UsageError(
        "standard input is no token in JSON", hint="--token - takes what issue-token or a credential_process prints"
    )


def check_can_sign_in(caller: CallerIdentity) -> None:
    """See that credentials are of a kind that can sign in to the console.

    :raises UsageError: they are a user's: "Only federation tokens or assume role tokens may be used for federated
        login", AWS answers to those of GetSessionToken.
    """
    if ":assumed-role/" not in caller.arn and ":federated-user/" not in caller.arn:
        raise UsageError(
            f"the keys of {caller.arn} cannot sign in to the console: AWS takes a role's session"
            " or GetFederationToken's, not a user's own keys, nor their MFA session",
            hint="leave --from-env and --token out, and a token of the venue's role is issued",
        )


def _credentials(access_key_id: Any, secret: Any, token: Any, expiration: Any, *, where: str) -> ConsoleCredentials:
    if not isinstance(access_key_id, str) or _ACCESS_KEY_ID.fullmatch(access_key_id) is None:
        raise UsageError(f"there is no access key ID in {where}")
    if not _is_text(secret):
        raise UsageError(f"there is no secret access key in {where}")
    if token is None or token == "":
        raise UsageError(
            f"the keys in {where} have no session token: long-term keys cannot sign in to the console",
            hint="give a role's session, or name a venue and have a token issued",
        )
    if not _is_text(token):
        raise UsageError(f"the session token in {where} is none")
    return ConsoleCredentials(Credentials(access_key_id, Secret(secret), Secret(token)), _moment(expiration, where))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable() and " " not in value


def _moment(text: Any, where: str) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        raise UsageError(f"when the credentials in {where} expire is not written as 2026-11-20T22:15:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)

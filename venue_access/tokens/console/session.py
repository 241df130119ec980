"""Console sessions: which credentials can sign in, for how long, and the URL that signs in with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from venue_access import times
from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import caller_in_account
from venue_access.aws.types import CallerIdentity, Credentials
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.sensitive import Secret
from venue_access.times import LONGEST, SHORTEST
from venue_access.tokens.console.sign_in import signin_token
from venue_access.tokens.console.site import URL_LASTS, Site

_SHAPES = (
    ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
    ("access_key", "secret_key", "session_token", "expiration"),
)
_ACCESS_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)


@dataclass(frozen=True)
class ConsoleCredentials:
    """Short-term credentials to sign in with."""

    keys: Credentials
    expiration: datetime | None = None
    """UTC; None if it is not known."""
    sends_duration: bool = False
    """Whether a ``SessionDuration`` is sent: only for a role that is known to be assumed without role chaining.

    AWS refuses the sign-in if it is sent for chained or GetFederationToken credentials. The ARN of given credentials
    does not show how they were issued. Without the parameter the console session lasts as long as the credentials, so
    leaving it out loses nothing.
    """

    def session_duration(self, now: datetime) -> int | None:
        """Return the ``SessionDuration`` to send, in seconds: what is left of the credentials; None to send none.

        :raises UsageError: less than 900 s are left.
        """
        if self.expiration is None:
            return None
        left = int((self.expiration - now).total_seconds())
        if left <= 0:
            raise UsageError("these credentials have expired", hint="get new ones")
        if left < SHORTEST:
            raise UsageError(
                f"these credentials expire in {left} s, and AWS gives no console session for less than {SHORTEST} s",
                hint="get new ones",
            )
        return min(left, LONGEST) if self.sends_duration else None


@dataclass(frozen=True)
class ConsoleUrl:
    """A URL that signs in everybody who opens it."""

    url: Secret
    expires: datetime
    """Of the URL; UTC."""
    session_ends: datetime | None
    """UTC; None if it is not known."""

    def summary(self) -> str:
        """Return how long the URL and the session are valid, on one line."""
        ends = self.session_ends
        session = "the session lasts as long as the credentials" if ends is None else f"the session until {_time(ends)}"
        return f"the URL signs in anyone who opens it for 15 minutes, until {_time(self.expires)}; {session}"


def console_url(
    credentials: ConsoleCredentials,
    site: Site,
    destination: str,
    issuer: str | None = None,
    *,
    exchange: Callable[..., Secret] = signin_token,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> ConsoleUrl:
    """Exchange credentials for a URL that signs in to the console.

    :raises UsageError: the credentials expire too soon.
    :raises AwsError: AWS refuses them, or cannot be reached.
    """
    duration = credentials.session_duration(now())
    signed_in = now()
    request = partial(exchange, site.federation, credentials.keys, session_duration=duration)
    token = times.current().call("the request for a sign-in token", site.federation, request)
    return ConsoleUrl(
        site.login_url(token, destination=destination, issuer=issuer),
        signed_in + timedelta(seconds=URL_LASTS),
        credentials.expiration,
    )


def check_has_console(venue: Venue | None, variables: Mapping[str, str]) -> None:
    """Check that the credentials are for AWS itself, which alone has a console.

    :raises UsageError: the venue or the environment names another endpoint.
    """
    hint = "only AWS itself has a console; credentials of another service are not sent there"
    if venue is not None and venue.endpoint_name is not None:
        raise UsageError(f"{venue.name} is at {venue.endpoint_name}, which has no console", hint=hint)
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
        if variables.get(name):
            raise UsageError(f"{name} is set, and that endpoint has no sign-in service and no console", hint=hint)


def check_given(
    credentials: ConsoleCredentials,
    region: str,
    venue: Venue | None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> AwsClient:
    """Check that given credentials work, can sign in and are of the venue's account; return a client with them.

    :raises UsageError: they expire too soon, or cannot sign in.
    :raises CredentialsError: they do not work, or are of another account.
    """
    credentials.session_duration(now())  # refuses expired ones without a call
    aws = AwsClient(region=region, credentials=credentials.keys)
    hint = "omit --venue, or give credentials of that account"
    check_can_sign_in(aws.caller() if venue is None else caller_in_account(aws, venue, hint=hint))
    return aws


def check_can_sign_in(caller: CallerIdentity) -> None:
    """Check that credentials are of a kind that can sign in to the console.

    :raises UsageError: they are a user's: "Only federation tokens or assume role tokens may be used for federated
        login" is AWS's answer to those of GetSessionToken.
    """
    if ":assumed-role/" not in caller.arn and ":federated-user/" not in caller.arn:
        raise UsageError(
            f"the credentials of {caller.arn} cannot sign in to the console: AWS requires a role session or"
            " GetFederationToken's, not an IAM user's keys or MFA session",
            hint="omit --from-env and --token to have a token of the venue's role issued",
        )


def from_environment(variables: Mapping[str, str]) -> ConsoleCredentials:
    """Return the credentials in the environment; ``AWS_CREDENTIAL_EXPIRATION`` is their expiration.

    :raises UsageError: there are none, or long-term ones.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
    return _credentials(*(variables.get(name) or None for name in names), source="the environment")


def from_json(text: Secret) -> ConsoleCredentials:
    """Return the credentials in a document that ``issue-token``, the AWS CLI or a ``credential_process`` printed.

    :raises UsageError: it is not such a document; the message quotes nothing of it.
    """
    try:
        document: Any = json.loads(text.reveal())
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("Credentials"), dict):
        document = document["Credentials"]
    for shape in _SHAPES:
        if isinstance(document, dict) and shape[0] in document:
            return _credentials(*(document.get(key) for key in shape), source="standard input")
    raise UsageError(
        "standard input is not a token in JSON", hint="--token - reads what issue-token or a credential_process prints"
    )


def _credentials(access_key_id: Any, secret: Any, token: Any, expiration: Any, *, source: str) -> ConsoleCredentials:
    if not isinstance(access_key_id, str) or _ACCESS_KEY_ID.fullmatch(access_key_id) is None:
        raise UsageError(f"there is no access key ID in {source}")
    if not _is_credential(secret):
        raise UsageError(f"there is no secret access key in {source}")
    if token is None or token == "":
        raise UsageError(
            f"the credentials in {source} have no session token: long-term credentials cannot sign in to the console",
            hint="give a role session's, or name a venue to have a token issued",
        )
    if not _is_credential(token):
        raise UsageError(f"the session token in {source} is malformed")
    return ConsoleCredentials(Credentials(access_key_id, Secret(secret), Secret(token)), _moment(expiration, source))


def _is_credential(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable() and " " not in value


def _moment(text: Any, source: str) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        raise UsageError(
            f"the expiration of the credentials in {source} is not written as 2026-11-20T22:15:00Z"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC ({moment.astimezone():%H:%M %Z} here)"

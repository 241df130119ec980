"""Issue tokens: check everything that AWS would refuse, assume the role, keep a receipt."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

from venue_access.aws import AssumedRole, Aws
from venue_access.errors import AccessRefused, AwsError, RequestError, VenueAccessError
from venue_access.inventory.model import Recipient, Venue
from venue_access.masked import ExternalId
from venue_access.tokens import durations
from venue_access.tokens.ledger import Receipt
from venue_access.tokens.names import is_session_name, role_session_name

ROTATION_DEADLINE = 120.0
"""Seconds to go on asking where the *stored* external ID is refused: IAM may not have seen a rotation yet."""
_THREADS = 16
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


@dataclass(frozen=True)
class TokenRequest:
    """One token that is wanted."""

    venue: Venue
    recipient: Recipient
    duration: int = 3600
    """Seconds."""
    external_id: ExternalId | None = None
    """As the requester supplied it; None takes the stored one."""


@dataclass(frozen=True)
class Issued:
    """What became of a request: a token or an error."""

    request: TokenRequest
    role_session_name: str
    issued: datetime
    """UTC."""
    token: AssumedRole | None = None
    error: VenueAccessError | None = None

    def receipt(self, reason: str | None) -> Receipt:
        """What the ledger keeps of an issued token."""
        assert self.token is not None
        return Receipt(
            issued=self.issued,
            venue=self.request.venue.name,
            role_arn=self.request.venue.role_arn,
            recipient=self.request.recipient.name,
            role_session_name=self.role_session_name,
            access_key_id=self.token.keys.access_key_id,
            expires=self.token.expiration,
            reason=reason,
        )

    def summary(self) -> str:
        """For whom, where, which role and until when, in a line."""
        assert self.token is not None
        until, venue = self.token.expiration, self.request.venue
        return (
            f"token for {self.request.recipient.name} at {venue.name} ({venue.role_name}) until"
            f" {until:%Y-%m-%d %H:%M} UTC ({until.astimezone():%H:%M %Z} here)"
        )


def supplied_external_id(text: str) -> ExternalId:
    """An external ID as a requester supplied it, passed on as given.

    :raises RequestError: AWS would not take it; the message does not show it.
    """
    if not _EXTERNAL_ID.fullmatch(text):
        raise RequestError(
            f"the external ID given ({len(text)} characters) is not one that AWS takes",
            hint="it is 2 to 1224 ASCII letters, digits or _+=,.@:/-, without spaces or a line's end",
        )
    return ExternalId(text)


def check_requests(aws: Aws, requests: Sequence[TokenRequest]) -> None:
    """Refuse what AWS would refuse, before it is asked; calls AWS only where something depends on it.

    :raises RequestError: saying which rule stands against a request.
    """
    for request in requests:
        name = request.recipient.name
        if not is_session_name(name):
            raise RequestError(f"user {name!r}: a name is 2 to 64 of the ASCII characters A-Z a-z 0-9 _ + = , . @ -")
        if request.venue.source_identity and name.startswith("aws:"):
            raise RequestError(f"user {name!r}: AWS takes no source identity that begins with aws:")
    # What everybody is granted needs no look at the caller.
    if requests[0].duration > durations.CHAINED:
        caller = aws.caller()
        durations.check_within(
            requests[0].duration,
            chained=caller.is_role_session,
            caller=caller.arn,
            role_maximum=_role_maximum(aws, requests[0].venue, caller.account_id),
        )


def issue(
    aws: Aws,
    requests: Sequence[TokenRequest],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Issued]:
    """Issue tokens of one venue, in the order of the requests; one that is refused does not stop the others.

    :raises RequestError: the venue is not provisioned.
    """
    stored = _StoredId(aws, requests[0].venue, clock, sleep) if requests[0].external_id is None else None

    def one(request: TokenRequest) -> Issued:
        moment = now()
        name = role_session_name(request.recipient.name, moment)
        try:
            if stored is None:
                token = _assume(aws, request, name, request.external_id)
            else:
                token = stored.assume(lambda external_id: _assume(aws, request, name, external_id))
            return Issued(request, name, moment, token=token)
        except AccessRefused as error:
            return Issued(request, name, moment, error=_explain(aws, request, error))
        except VenueAccessError as error:
            return Issued(request, name, moment, error=error)

    if len(requests) == 1:
        yield one(requests[0])
        return
    with ThreadPoolExecutor(min(_THREADS, len(requests))) as pool:
        yield from pool.map(one, requests)


class _StoredId:
    """The external ID of the venue's parameter, read once and again only when it is refused.

    A rotation may have published a new ID since it was read, and AWS may not have heard of it yet everywhere.
    """

    def __init__(self, aws: Aws, venue: Venue, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._aws = aws
        self._venue = venue
        self._clock = clock
        self._sleep = sleep
        self._first = self._read()

    def assume(self, assume: Callable[[ExternalId], AssumedRole]) -> AssumedRole:
        external_id, pause, deadline = self._first, 0.1, None
        while True:
            try:
                return assume(external_id)
            except AccessRefused:
                again = self._read()
                if deadline is None:
                    # Refused with the ID that is still stored: a rotation whose news has not spread is the one
                    # refusal that passes by itself, and it shows as a parameter younger than the deadline.
                    if again == external_id and not self._recently_rotated():
                        raise
                    deadline = self._clock() + ROTATION_DEADLINE
                if self._clock() + pause > deadline:
                    raise
                if again == external_id:
                    self._sleep(pause)
                    pause = min(pause * 2, 5.0)
                external_id = again

    def _recently_rotated(self) -> bool:
        age = datetime.now(timezone.utc) - self._stored.modified
        return self._stored.version > 1 and age.total_seconds() < 2 * ROTATION_DEADLINE

    def _read(self) -> ExternalId:
        parameter = self._aws.parameter(self._venue.external_id_parameter)
        if parameter is None:
            raise _not_provisioned(self._aws, self._venue)
        self._stored = parameter
        return parameter.value


def _assume(aws: Aws, request: TokenRequest, name: str, external_id: ExternalId | None) -> AssumedRole:
    venue = request.venue
    return aws.assume_role(
        venue.role_arn,
        name,
        external_id=external_id,
        duration=request.duration,
        source_identity=request.recipient.name if venue.source_identity else None,
        tags=venue.session_tags,
    )


def _role_maximum(aws: Aws, venue: Venue, caller_account: str) -> int:
    """The role's maximum as AWS has it where that may be read, else as the inventory has it."""
    if caller_account == venue.account_id:
        try:
            role = aws.role(venue.role_name)
        except AwsError:
            role = None  # the desk needs no right on IAM
        if role is not None:
            return role.max_session_duration
    return venue.max_session_duration


def _not_provisioned(aws: Aws, venue: Venue) -> RequestError:
    caller = aws.caller()
    if caller.account_id != venue.account_id:
        return RequestError(
            f"{venue.name} is in account {venue.account_id}, but your keys are of account {caller.account_id}",
            hint="export keys of that account, or supply the external ID with --external-id",
        )
    return RequestError(
        f"{venue.name} is not provisioned: there is no SSM parameter {venue.external_id_parameter}",
        hint=f"provision it with: invoke provision --venue {venue.name}",
    )


def _explain(aws: Aws, request: TokenRequest, error: AccessRefused) -> AccessRefused:
    venue = request.venue
    if request.external_id is not None:
        return AccessRefused(
            f"AWS refused the role of {venue.name} with the external ID that was supplied: it does not match, or you"
            " may not assume the role",
            hint="ask the requester for the venue's present external ID; it may have been rotated",
            code=error.code,
        )
    return AccessRefused(
        f"AWS refused the role of {venue.name} with its stored external ID: {error.message}",
        hint=f"you may not be one of its trusted_principals; invoke status --venue {venue.name} shows how it stands",
        code=error.code,
    )

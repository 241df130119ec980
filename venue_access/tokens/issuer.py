"""Assume a venue's role for a recipient, with the external ID that is stored with the venue or was supplied."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from venue_access.aws.client import AssumedRole, AwsClient, Parameter
from venue_access.aws.sessions import (
    CHAINED,
    caller_in_account,
    check_duration_for_caller,
    check_duration_for_role,
    role_session_name,
    why_not_trusted,
)
from venue_access.errors import AccessDenied, AwsError, UsageError, VenueAccessError
from venue_access.inventory.model import Recipient, Venue
from venue_access.sensitive import ExternalId
from venue_access.times import to_minute

if TYPE_CHECKING:
    from venue_access.policies.session import TokenScope


@dataclass(frozen=True)
class TokenRequest:
    """A request for tokens of one venue, for one or several users."""

    venue: Venue
    users: tuple[str, ...]
    """Names or emails, as typed."""
    duration: int = 3_600
    """Seconds."""
    external_id: ExternalId | None = None
    """As the requester supplied it; None uses the stored one."""
    scope: TokenScope | None = None
    """What the tokens are limited to; None leaves them all that the role allows."""
    accept_similar: bool = False
    """Accept a name that is probably a misspelt user of the venue."""


@dataclass(frozen=True)
class Issued:
    """An issued token."""

    venue: Venue
    recipient: Recipient
    role_session_name: str
    issued: datetime
    """UTC."""
    token: AssumedRole
    scope: TokenScope | None = None
    record_error: VenueAccessError | None = None
    """Why it could not be recorded in the ledger; if so, it must not be delivered."""

    def check_recorded(self) -> None:
        """Raise ``record_error`` if there is one."""
        if self.record_error is not None:
            raise self.record_error

    def summary(self) -> str:
        """Return the recipient, venue, role, expiration and scope, on one or two lines."""
        until, packed = self.token.expiration, self.token.packed_policy_size
        details = [f"scoped to: {self.scope.describe()}"] if self.scope else []
        details += [f"packed policy size {packed}%"] if packed is not None else []
        line = f"token for {self.recipient.name} at {self.venue.name} ({self.venue.role_name})"
        line += f" until {to_minute(until)} ({until.astimezone():%H:%M %Z} here)"
        return f"{line}\n  {', '.join(details)}" if details else line


@dataclass(frozen=True)
class Refused:
    """A user who gets no token, and why."""

    user: str
    error: VenueAccessError


def users_named(text: str) -> tuple[str, ...]:
    """Return the names or emails in ``--user``, which commas separate.

    :raises UsageError: a name is empty, for example because a variable is not set.
    """
    users = tuple(name.strip(" ") for name in text.split(","))
    if "" in users:
        problem = "is empty" if len(users) == 1 else f"{text!r} has an empty name"
        raise UsageError(f"--user {problem}", hint="name who the token is for: alice, or several: alice,bob")
    return users


def supplied_external_id(text: str) -> ExternalId:
    """Return the external ID that a requester supplied, unchanged.

    :raises UsageError: AWS does not accept it; the message does not show it.
    """
    external_id = ExternalId(text)
    if not external_id.fits:
        raise UsageError(
            f"the external ID given ({len(text)} characters) is not one that AWS accepts",
            hint="an external ID is 2 to 1224 ASCII letters, digits or _+=,.@:/-, without spaces or line breaks",
        )
    return external_id


RETRY_LIMIT = 120.0
"""Seconds to retry a stored external ID that AWS refuses: a change of it may not have reached all of AWS."""
_LONGEST_PAUSE = 5.0


class TokenIssuer:
    """Issues the tokens of one request; several threads may call ``issue``.

    :param clock: seconds, monotonic.
    :param wait: waits a number of seconds and returns whether to give up; by default ``stop_retrying`` ends the wait.
    :raises UsageError: AWS would not grant the duration or accept the scope, or the venue is not provisioned.
    :raises AwsError: the stored external ID cannot be read.
    """

    def __init__(
        self,
        aws: AwsClient,
        request: TokenRequest,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._aws = aws
        self._venue = request.venue
        self._request = request
        self._now = now
        self._clock = clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._check_duration()
        self._policy = self._session_policy()
        # Read once for all recipients, and again only if AWS refuses it.
        self._stored = read_stored_id(aws, self._venue) if request.external_id is None else None

    def issue(self, recipient: Recipient) -> Issued | Refused:
        """Issue a token; a refusal is returned, so that it does not stop the others."""
        issued = self._now()
        name = role_session_name(recipient.name, issued)
        supplied = self._request.external_id
        try:
            if supplied is None:
                token = self._assume_with_stored_id(recipient, name)
            else:
                token = self._assume_with_supplied_id(recipient, name, supplied)
        except VenueAccessError as error:
            return Refused(recipient.name, error)
        return Issued(self._venue, recipient, name, issued, token, self._request.scope)

    def stop_retrying(self) -> None:
        """End the waits of all threads: nobody needs their tokens any longer."""
        self._stopping.set()

    def _assume(self, recipient: Recipient, session_name: str, external_id: ExternalId) -> AssumedRole:
        return self._aws.assume_role(
            self._venue.role_arn,
            session_name,
            external_id=external_id,
            duration=self._request.duration,
            source_identity=recipient.name if self._venue.source_identity else None,
            tags=self._venue.session_tags,
            policy=self._policy,
        )

    def _assume_with_stored_id(self, recipient: Recipient, session_name: str) -> AssumedRole:
        """Assume the role with the stored external ID; read it again and retry while a change of it propagates.

        :raises AccessDenied: AWS still refuses it, or retrying would not help.
        """
        assert self._stored is not None
        tried, pause, deadline = self._stored, 0.1, self._clock() + RETRY_LIMIT
        while True:
            try:
                return self._assume(recipient, session_name, tried.value)
            except AccessDenied as error:
                latest = self._stored = read_stored_id(self._aws, self._venue)
                if latest.value == tried.value:
                    self._check_retry_may_help(latest, error)
                    if self._clock() + pause > deadline or self._wait(pause):
                        raise self._stored_id_refused(error) from error
                    pause = min(pause * 2, _LONGEST_PAUSE)
                elif self._clock() > deadline:
                    raise self._stored_id_refused(error) from error
                tried = latest

    def _assume_with_supplied_id(self, recipient: Recipient, session_name: str, external_id: ExternalId) -> AssumedRole:
        """Assume the role with a supplied external ID, which is never retried: only another ID could work."""
        try:
            return self._assume(recipient, session_name, external_id)
        except AccessDenied as error:
            self._check_trusted(error)
            raise AccessDenied(
                f"cannot assume the role of {self._venue.name}: the external ID that was supplied does not match, or"
                " the venue is not provisioned",
                hint="ask the requester for the venue's current external ID; it may have been rotated",
                code=error.code,
            ) from error

    def _check_retry_may_help(self, stored: Parameter, error: AccessDenied) -> None:
        """Raise an error unless the stored external ID changed recently and the trust policy covers the caller."""
        self._check_trusted(error)
        # AWS answers the same for a missing role as for one that does not trust the caller.
        try:
            role_exists = self._aws.role(self._venue.role_name) is not None
        except AwsError:
            role_exists = True  # an issuer needs no permission on IAM
        if not role_exists:
            raise UsageError(
                f"{self._venue.name} is not provisioned: there is no role {self._venue.role_name}, though its SSM"
                " parameter exists",
                hint=f"re-create it with: invoke provision --venue {self._venue.name}",
            ) from error
        if (self._now() - stored.modified).total_seconds() > 2 * RETRY_LIMIT:
            raise self._stored_id_refused(error) from error

    def _check_trusted(self, error: AccessDenied) -> None:
        reason = why_not_trusted(self._venue, self._aws.caller())
        if reason is not None:
            raise AccessDenied(
                f"cannot assume the role of {self._venue.name}: {reason}",
                hint="use credentials that it trusts, or add yours to trusted_principals and provision the venue",
                code=error.code,
            ) from error

    def _stored_id_refused(self, error: AccessDenied) -> AccessDenied:
        name = self._venue.name
        return AccessDenied(
            f"cannot assume the role of {name} with its stored external ID: {error.message}",
            hint=f"look at: invoke status --venue {name}; your own policies must allow sts:AssumeRole on the role",
            code=error.code,
        )

    def _check_duration(self) -> None:
        """Check the duration against what AWS grants this caller and this role.

        The role's MaxSessionDuration comes from IAM, or from the inventory if the caller may not read the role.
        """
        seconds, venue = self._request.duration, self._venue
        if seconds <= CHAINED:
            return  # every caller may request this much, so AWS need not be asked who calls
        caller = self._aws.caller()
        check_duration_for_caller(seconds, caller)
        role = None
        if caller.account_id == venue.account_id:
            with suppress(AwsError):
                role = self._aws.role(venue.role_name)
        check_duration_for_role(seconds, venue.max_session_duration if role is None else role.max_session_duration)

    def _session_policy(self) -> str | None:
        if not self._request.scope:
            return None
        from venue_access.aws.parameters import find_buckets

        return self._request.scope.session_policy(self._venue, lambda: find_buckets(self._aws, self._venue))


def read_stored_id(aws: AwsClient, venue: Venue, *, may_be_supplied: bool = True) -> Parameter:
    """Return the SSM parameter that holds a venue's external ID.

    :param may_be_supplied: whether hints may offer ``--external-id`` instead.
    :raises UsageError: the venue is not provisioned.
    """
    try:
        parameter = aws.parameter(venue.external_id_parameter)
    except AccessDenied as error:
        supply = "supply it with --external-id, which needs no permission on SSM; " if may_be_supplied else ""
        raise AccessDenied(
            f"{venue.name}: cannot read its external ID: {error.message}",
            hint=f"{supply}for the permissions, see: invoke operator-policy --issue-only --venue {venue.name}",
            code=error.code,
        ) from error
    if parameter is not None:
        return parameter
    supply = ", or supply the external ID with --external-id" if may_be_supplied else ""
    caller_in_account(aws, venue, hint=f"export credentials of that account{supply}")
    raise UsageError(
        f"{venue.name} is not provisioned: there is no SSM parameter {venue.external_id_parameter}",
        hint=f"provision it with: invoke provision --venue {venue.name}",
    )

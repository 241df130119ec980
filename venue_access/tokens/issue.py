"""Issue tokens: check everything that AWS would refuse, assume the role, tell what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone

from venue_access import console
from venue_access.aws.client import AssumedRole, AwsClient
from venue_access.aws.identity import (
    CHAINED,
    check_duration_for_caller,
    check_duration_for_role,
    role_session_name,
    why_not_trusted,
)
from venue_access.aws.parameters import find_buckets
from venue_access.errors import AccessDenied, AwsError, Interrupted, UsageError, VenueAccessError
from venue_access.inventory.model import Recipient, Venue
from venue_access.inventory.recipients import find_recipient
from venue_access.policies.session import TokenScope
from venue_access.sensitive import ExternalId
from venue_access.times import to_minute
from venue_access.tokens.external_id_store import ExternalIdStore, not_trusted

_THREADS = 16


@dataclass(frozen=True)
class TokenRequest:
    """The tokens that are wanted: of one venue, for one user or several."""

    venue: Venue
    users: tuple[str, ...]
    """Names or emails, as they were typed."""
    duration: int = 3600
    """Seconds."""
    external_id: ExternalId | None = None
    """As the requester supplied it; None takes the stored one."""
    scope: TokenScope = field(default_factory=TokenScope)
    accept_similar: bool = False
    """Take a name that is one slip away from a listed user's as it is."""

    def check(self) -> None:
        """Refuse a scope that will not do, as far as it can be told without AWS.

        :raises UsageError: it names what the role lacks, or AWS would not take it.
        """
        self.scope.check(self.venue)


@dataclass(frozen=True)
class Issued:
    """A token that was issued."""

    venue: Venue
    recipient: Recipient
    role_session_name: str
    issued: datetime
    """UTC."""
    token: AssumedRole
    scope: TokenScope = field(default_factory=TokenScope)

    def summary(self) -> str:
        """For whom, where, which role, until when and scoped to what, in a line or two."""
        until, packed = self.token.expiration, self.token.packed_policy_size
        scoped = [f"scoped to: {self.scope.describe()}"] if self.scope else []
        room = [f"{packed}% of the room for session policies and tags"] if packed is not None else []
        more = f"\n  {', '.join([*scoped, *room])}" if scoped or room else ""
        return (
            f"token for {self.recipient.name} at {self.venue.name} ({self.venue.role_name}) until"
            f" {to_minute(until)} ({until.astimezone():%H:%M %Z} here){more}"
        )


@dataclass(frozen=True)
class Refused:
    """A user who gets no token, and why."""

    user: str
    error: VenueAccessError


@dataclass(frozen=True)
class Unrecorded:
    """A token that was issued and could not be recorded, so nobody may see it; and why."""

    issued: Issued
    error: VenueAccessError


Outcome = Issued | Refused | Unrecorded
Record = Callable[[Issued | Refused], Outcome]
"""Records what came of a user's request, in the thread that AWS answered."""


def supplied_external_id(text: str) -> ExternalId:
    """An external ID as a requester supplied it, passed on as given.

    :raises UsageError: AWS would not take it; the message does not show it.
    """
    external_id = ExternalId(text)
    if not external_id.fits:
        raise UsageError(
            f"the external ID given ({len(text)} characters) is not one that AWS takes",
            hint="it is 2 to 1224 ASCII letters, digits or _+=,.@:/-, without spaces or a line's end",
        )
    return external_id


def users_named(text: str) -> tuple[str, ...]:
    """The names or emails of ``--user``, separated by commas.

    :raises UsageError: one is empty: a variable that is not set, or a comma too many.
    """
    users = tuple(name.strip(" ") for name in text.split(","))
    if "" in users:
        what = "is empty" if len(users) == 1 else f"{text!r} has an empty name"
        raise UsageError(f"--user {what}", hint="say whom the token is for: alice, or several: alice,bob")
    return users


def recipients(
    request: TokenRequest, prepare: Callable[[Recipient], None] = lambda recipient: None
) -> Iterator[Recipient | Refused]:
    """Whom the request is for, each once and in its order; who is nobody that the venue gives tokens to.

    :param prepare: raises UsageError for somebody to whom no token could be handed over.
    """
    seen = set()
    for user in request.users:
        try:
            recipient = find_recipient(request.venue, user, accept_similar=request.accept_similar)
            if recipient.name in seen:
                continue
            seen.add(recipient.name)
            prepare(recipient)
        except UsageError as error:
            yield Refused(user, error)
        else:
            yield recipient


def issue(
    reach: Callable[[], AwsClient],
    request: TokenRequest,
    *,
    record: Record,
    prepare: Callable[[Recipient], None] = lambda recipient: None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Outcome, None, None]:
    """Issue the tokens of a request, in its order; a user who is refused does not stop the others.

    Worker threads ask AWS and record its answer, so that a token is recorded also where its turn never comes: when the
    generator is closed, or Ctrl-C reaches it, it waits for the calls under way and begins no other.

    :param reach: the way to the venue's account; not asked for where every user is refused.
    :param prepare: as in ``recipients``; it is called for all before there is a token.
    :raises UsageError: AWS would not give this duration, the scope will not do, or the venue is not provisioned.
    """
    request.check()
    wanted = list(recipients(request, prepare))
    if all(isinstance(each, Refused) for each in wanted):
        yield from (each for each in wanted if isinstance(each, Refused))
        return
    try:
        issuer = _TokenIssuer(reach(), request, now, clock)
    except AwsError as error:  # of them all: the stored external ID may not be read
        for recipient in wanted:
            if isinstance(recipient, Recipient):
                record(Refused(recipient.name, error))
        raise

    def serve(each: Recipient | Refused) -> Outcome:
        return record(issuer.serve(each))

    pool = ThreadPoolExecutor(min(_THREADS, len(wanted)))
    serving = [pool.submit(serve, each) for each in wanted]
    try:
        for each in serving:
            yield each.result()
    finally:
        issuer.close()  # nobody waits for IAM any longer
        for each in serving:
            each.cancel()
        if not all(each.done() for each in serving):
            console.say("waiting for AWS to answer, so that every token is recorded; Ctrl-C again stops waiting")
        try:
            pool.shutdown()
        except KeyboardInterrupt:
            asked = zip(wanted, serving, strict=True)
            names = [each.name for each, answer in asked if isinstance(each, Recipient) and not answer.done()]
            raise _unanswered(request.venue, names) from None


def _unanswered(venue: Venue, users: Sequence[str]) -> Interrupted:
    """Return the error for users whose AssumeRole was not waited for."""
    return Interrupted(
        f"interrupted: whether AWS has issued a token of {venue.name} for {', '.join(users)} is not known",
        hint=f"revoke what there may be with: invoke revoke-token --venue {venue.name} --user NAME",
    )


class _TokenIssuer:
    """Serves the users of one request, from several threads."""

    def __init__(
        self, aws: AwsClient, request: TokenRequest, now: Callable[[], datetime], clock: Callable[[], float]
    ) -> None:
        self._aws = aws
        self._venue = request.venue
        self._request = request
        self._now = now
        self._closing = threading.Event()
        _check_duration(aws, request)
        self._policy = request.scope.session_policy(request.venue, lambda: find_buckets(aws, request.venue))
        self._stored = (
            ExternalIdStore(aws, self._venue, now=now, clock=clock, wait=self._closing.wait)
            if request.external_id is None
            else None
        )

    def close(self) -> None:
        """Have whoever waits give up."""
        self._closing.set()

    def serve(self, wanted: Recipient | Refused) -> Issued | Refused:
        if isinstance(wanted, Refused):
            return wanted
        issued = self._now()
        name = role_session_name(wanted.name, issued)

        def assume(external_id: ExternalId) -> AssumedRole:
            return self._aws.assume_role(
                self._venue.role_arn,
                name,
                external_id=external_id,
                duration=self._request.duration,
                source_identity=wanted.name if self._venue.source_identity else None,
                tags=self._venue.session_tags,
                policy=self._policy,
            )

        try:
            if self._stored is not None:
                token = self._stored.assume(assume)
            else:
                assert self._request.external_id is not None
                token = self._assume_as_supplied(assume, self._request.external_id)
        except VenueAccessError as error:
            return Refused(wanted.name, error)
        return Issued(self._venue, wanted, name, issued, token, self._request.scope)

    def _assume_as_supplied(self, assume: Callable[[ExternalId], AssumedRole], external_id: ExternalId) -> AssumedRole:
        """Asked once: another answer would need another external ID."""
        try:
            return assume(external_id)
        except AccessDenied as error:
            against = why_not_trusted(self._venue, self._aws.caller())
            if against is not None:
                raise not_trusted(self._venue, against, error) from error
            raise AccessDenied(
                f"AWS refused the role of {self._venue.name}: the external ID that was supplied does not match, or the"
                " venue is not provisioned",
                hint="ask the requester for the venue's present external ID; it may have been rotated",
                code=error.code,
            ) from error


def _check_duration(aws: AwsClient, request: TokenRequest) -> None:
    if request.duration <= CHAINED:
        return  # what everybody is granted needs no look at the caller
    caller = aws.caller()
    check_duration_for_caller(request.duration, caller)
    check_duration_for_role(request.duration, _role_maximum(aws, request.venue, caller.account_id))


def _role_maximum(aws: AwsClient, venue: Venue, caller_account: str) -> int:
    """The role's maximum as AWS has it where that may be read, else as the inventory has it."""
    if caller_account == venue.account_id:
        try:
            role = aws.role(venue.role_name)
        except AwsError:
            role = None  # the issuer needs no right on IAM
        if role is not None:
            return role.max_session_duration
    return venue.max_session_duration

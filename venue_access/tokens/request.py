"""Token requests: who gets a token of which venue, for how long and with which scope; and what comes of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from venue_access.aws.client import AssumedRole
from venue_access.errors import UsageError, VenueAccessError
from venue_access.inventory.model import Recipient, Venue
from venue_access.inventory.recipients import find_recipient
from venue_access.policies.session import TokenScope
from venue_access.sensitive import ExternalId
from venue_access.times import to_minute

if TYPE_CHECKING:
    from venue_access.tokens.delivery import DeliveryMethod


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
    scope: TokenScope = field(default_factory=TokenScope)
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
    scope: TokenScope = field(default_factory=TokenScope)

    def summary(self) -> str:
        """Return the recipient, venue, role, expiration and scope, on one or two lines."""
        until, packed = self.token.expiration, self.token.packed_policy_size
        details = [f"scoped to: {self.scope.describe()}"] if self.scope else []
        details += [f"packed policy size {packed}%"] if packed is not None else []
        return (
            f"token for {self.recipient.name} at {self.venue.name} ({self.venue.role_name}) until"
            f" {to_minute(until)} ({until.astimezone():%H:%M %Z} here)"
            + (f"\n  {', '.join(details)}" if details else "")
        )


@dataclass(frozen=True)
class Refused:
    """A user who gets no token, and why."""

    user: str
    error: VenueAccessError


@dataclass(frozen=True)
class Unrecorded:
    """A token that was issued but could not be recorded, and why; it must not be delivered."""

    issued: Issued
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


def prepare(request: TokenRequest, delivery: DeliveryMethod | None = None) -> tuple[list[Recipient], list[Refused]]:
    """Find the recipients of a request and check all that can be checked without AWS.

    :param delivery: how the tokens are delivered; it prepares each recipient.
    :returns: the recipients in the request's order without duplicates, and the users who get no token.
    :raises UsageError: the scope exceeds the role's permissions, or AWS would not accept it.
    """
    request.scope.check(request.venue)
    recipients: list[Recipient] = []
    refused: list[Refused] = []
    seen: set[str] = set()
    for user in request.users:
        try:
            recipient = find_recipient(request.venue, user, accept_similar=request.accept_similar)
            if recipient.name not in seen:
                seen.add(recipient.name)
                if delivery is not None:
                    delivery.prepare(recipient)
                recipients.append(recipient)
        except UsageError as error:
            refused.append(Refused(user, error))
    return recipients, refused

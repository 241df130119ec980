"""What the ledger keeps of tokens that are asked for: those that were issued, and those that AWS refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from venue_access.errors import AwsError, DeliveryError, Unreachable, VenueAccessError
from venue_access.inventory.model import Recipient
from venue_access.ledger.book import Ledger
from venue_access.ledger.record import Kind
from venue_access.tokens.issue import Issued, Refused, TokenRequest, recipients


def enter_issue(
    ledger: Ledger,
    issued: Issued,
    *,
    reason: str | None = None,
    narrowing: Mapping[str, Any] | None = None,
    delivery: str | None = None,
    key_fingerprints: tuple[str, ...] = (),
) -> None:
    """Enter a token that was issued, before anybody sees it.

    :raises DeliveryError: it cannot be entered, so nobody may see it; the message tells which token is out.
    """
    name, venue = issued.role_session_name, issued.venue.name
    try:
        ledger.record(
            Kind.ISSUE,
            when=issued.issued,
            recipient=issued.recipient.name,
            role_session_name=name,
            access_key_id=issued.token.keys.access_key_id,
            expires=issued.token.expiration,
            narrowing=narrowing,
            reason=reason,
            delivery=delivery,
            key_fingerprints=key_fingerprints,
        )
    except VenueAccessError as error:
        raise DeliveryError(
            f"the token {name} of {venue} is out, and not shown, as the ledger cannot be written: {error.message}",
            hint=f"revoke it with: invoke revoke-token --venue {venue} --session {name}",
        ) from error


def entering_refusals(
    ledger: Ledger, request: TokenRequest, outcomes: Iterator[Issued | Refused], reason: str | None = None
) -> Iterator[Issued | Refused]:
    """What comes of a request, passed on; what AWS refuses of it is entered on the way.

    :param outcomes: as ``issue`` gives them.
    """

    def enter(user: str, error: VenueAccessError) -> None:
        # What did not reach AWS, or was told no by the kit itself, is no refusal of AWS's.
        if isinstance(error, AwsError) and not isinstance(error, Unreachable) and error.code is not None:
            ledger.record(Kind.REFUSAL, recipient=user, reason=reason, error=error.code)

    while True:
        try:
            each = next(outcomes, None)
        except AwsError as error:  # of them all: the stored external ID may not be read
            for wanted in recipients(request):
                if isinstance(wanted, Recipient):
                    enter(wanted.name, error)
            raise
        if each is None:
            return
        if isinstance(each, Refused):
            enter(each.user, each.error)
        yield each

"""What the ledger keeps of tokens that are asked for: those that were issued, and those that AWS refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from venue_access.errors import AwsError, DeliveryError, Unavailable, Unreachable, VenueAccessError
from venue_access.inventory.model import Recipient
from venue_access.ledger.book import Ledger
from venue_access.ledger.record import Kind
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import Issued, Refused, TokenRequest, recipients

if TYPE_CHECKING:
    from venue_access.tokens.external_id import HandedOut


def enter_issue(ledger: Ledger, issued: Issued, delivery: Delivery, reason: str | None = None) -> None:
    """Enter a token that was issued, before anybody sees it.

    :raises VenueAccessError: it cannot be entered, so nobody may see it.
    """
    ledger.record(
        Kind.ISSUE,
        when=issued.issued,
        **_about(issued, delivery),
        narrowing=issued.narrowing.describe() or None,
        reason=reason,
    )


def enter_delivery(ledger: Ledger, issued: Issued, delivery: Delivery) -> None:
    """Enter that a token reached the file which is for its recipient; one that was printed is where it is to be."""
    if delivery.way != "printed":
        ledger.record(Kind.DELIVERY, **_about(issued, delivery))


def enter_hand_out(ledger: Ledger, handed: HandedOut) -> None:
    """Enter that somebody is handed the venue's external ID, before the path of the file is shown.

    :raises DeliveryError: it cannot be entered.
    """
    try:
        ledger.record(
            Kind.EXTERNAL_ID,
            when=handed.when,
            recipient=handed.recipient.name,
            parameter_version=handed.parameter_version,
            delivery=handed.delivery.way,
            key_fingerprints=handed.delivery.fingerprints,
        )
    except VenueAccessError as error:
        raise DeliveryError(
            f"{handed.path} was written, but could not be entered into the ledger: {error.message}",
            hint="remove that file, mend the ledger, and run the command again",
        ) from error


def entering_refusals(
    ledger: Ledger, request: TokenRequest, outcomes: Iterator[Issued | Refused], reason: str | None = None
) -> Iterator[Issued | Refused]:
    """What comes of a request, passed on; what AWS refuses of it is entered on the way.

    :param outcomes: as ``issue`` gives them.
    """

    def enter(user: str, error: VenueAccessError) -> None:
        # What did not reach AWS, or fell to a fault of its own, or was told no by the kit itself, is no refusal of it.
        if isinstance(error, AwsError) and not isinstance(error, (Unavailable, Unreachable)) and error.code is not None:
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


def _about(issued: Issued, delivery: Delivery) -> dict[str, Any]:
    return {
        "recipient": issued.recipient.name,
        "role_session_name": issued.role_session_name,
        "access_key_id": issued.token.keys.access_key_id,
        "expires": issued.token.expiration,
        "delivery": delivery.way,
        "key_fingerprints": delivery.fingerprints,
    }

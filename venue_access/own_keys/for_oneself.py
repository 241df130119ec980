"""A token of a venue for the operator's own work, entered in the ledger like any other."""

from __future__ import annotations

from venue_access.aws import AssumedRole
from venue_access.config import Settings
from venue_access.kit import Kit
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.durations import seconds
from venue_access.tokens.entries import enter_issue, entering_refusals
from venue_access.tokens.issue import Refused, TokenRequest, issue


def issue_for_oneself(settings: Settings, venue: str, user: str, duration: str, *, accept_similar: bool) -> AssumedRole:
    """Issue a token.

    :param accept_similar: take a user who is one slip away from a listed one as given.
    :raises VenueAccessError: there is no such venue, AWS refuses it, or it cannot be entered.
    """
    kit = Kit.open(settings)
    chosen = kit.venue(venue)
    request = TokenRequest(chosen, (user,), seconds(duration), accept_similar=accept_similar)
    ledger = kit.ledger(chosen)
    (issued,) = entering_refusals(ledger, request, issue(ledger.aws, request))
    if isinstance(issued, Refused):
        raise issued.error
    enter_issue(ledger, issued, Delivery("printed"), "credential_process")
    return issued.token

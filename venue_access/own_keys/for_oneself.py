"""A token of a venue for the operator's own work, entered in the ledger like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from venue_access.aws import AssumedRole
from venue_access.config import Settings
from venue_access.kit import Kit
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.durations import seconds
from venue_access.tokens.entries import issued_for_one
from venue_access.tokens.issue import TokenRequest


@contextmanager
def issued_for_oneself(
    settings: Settings, venue: str, user: str, duration: str, *, accept_similar: bool
) -> Iterator[AssumedRole]:
    """Issue a token, which the ``with`` block delivers.

    :param accept_similar: take a user who is one slip away from a listed one as given.
    :raises VenueAccessError: there is no such venue, or AWS refuses it.
    :raises DeliveryError: it was issued, and cannot be recorded or delivered.
    """
    kit = Kit.open(settings)
    chosen = kit.venue(venue)
    request = TokenRequest(chosen, (user,), seconds(duration), accept_similar=accept_similar)
    with issued_for_one(kit.ledger(chosen), request, Delivery("printed"), "credential_process") as issued:
        yield issued.token

"""Issue a venue's token for the operator's own work, recorded in the ledger like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from venue_access.app import App
from venue_access.aws.client import AssumedRole
from venue_access.config import Settings
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.durations import seconds
from venue_access.tokens.issue import TokenRequest
from venue_access.tokens.ledger_recording import issued_for_one


@contextmanager
def issued_for_oneself(
    settings: Settings, venue: str, user: str, duration: str, *, accept_similar: bool, source_profile: str | None = None
) -> Iterator[AssumedRole]:
    """Issue a token, which the ``with`` block delivers.

    :param accept_similar: accept a user whose name is similar to a known user's.
    :param source_profile: the AWS profile to issue with; it overrides the environment's credentials and the
        inventory's ``aws_profile``.
    :raises VenueAccessError: the venue does not exist, or AWS refuses it.
    :raises DeliveryError: it was issued, and cannot be recorded or delivered.
    """
    app = App.open(settings)
    chosen = app.venue(venue)
    if source_profile is not None:
        chosen = replace(chosen, aws_profile=source_profile)
    request = TokenRequest(chosen, (user,), seconds(duration), accept_similar=accept_similar)
    with issued_for_one(app.ledger(chosen), request, Delivery("printed"), "credential_process") as issued:
        yield issued.token

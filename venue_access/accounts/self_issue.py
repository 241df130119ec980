"""Issue a venue's token for the operator's own work, recorded in the ledger like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from venue_access.app import App
from venue_access.aws.client import AssumedRole
from venue_access.config import Settings
from venue_access.times import parse_token_duration
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import issued_for_one
from venue_access.tokens.request import TokenRequest


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
    request = TokenRequest(chosen, (user,), parse_token_duration(duration), accept_similar=accept_similar)
    ledger = app.ledger(chosen)
    with issued_for_one(app.aws(chosen), ledger, request, Delivery("printed"), "credential_process") as issued:
        yield issued.token

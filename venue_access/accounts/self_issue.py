"""A token of a venue for the operator's own work, entered in the ledger like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase

from venue_access.accounts.cache import SessionCache
from venue_access.app import App
from venue_access.aws.client import AssumedRole
from venue_access.config import Settings
from venue_access.inventory.model import Venue
from venue_access.policies.revocation import user_pattern
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import issued_for_one
from venue_access.tokens.request import TokenRequest, token_seconds


@contextmanager
def issued_for_oneself(
    settings: Settings, venue: str, user: str, duration: str, *, accept_similar: bool, source_profile: str | None = None
) -> Iterator[AssumedRole]:
    """Issue a token, which the ``with`` block delivers.

    :param accept_similar: take a user who is one slip away from a listed one as given.
    :param source_profile: the AWS profile to issue with; it overrides the environment's keys and the inventory's
        ``aws_profile``.
    :raises VenueAccessError: there is no such venue, or AWS refuses it.
    :raises DeliveryError: it was issued, and cannot be recorded or delivered.
    """
    kit = App.open(settings)
    chosen = kit.venue(venue)
    if source_profile is not None:
        chosen = replace(chosen, aws_profile=source_profile)
    request = TokenRequest(chosen, (user,), token_seconds(duration), accept_similar=accept_similar)
    ledger = kit.ledger(chosen)
    with issued_for_one(kit.aws(chosen), ledger, request, Delivery("printed"), "credential_process") as issued:
        yield issued.token


def remove_revoked(cache: SessionCache, venue: Venue, *, session: str | None, user: str | None) -> int:
    """Remove the revoked tokens of a venue from the credential cache of this machine, and return how many.

    :param session: the role session name that was revoked; with neither this nor ``user`` every token of the venue was.
    :raises UsageError: the cache cannot be changed.
    """

    def is_revoked(origin: Mapping[str, str]) -> bool:
        name = str(origin.get("arn", "")).removeprefix(
            f"arn:{venue.partition}:sts::{venue.account_id}:assumed-role/{venue.role_name}/"
        )
        if "/" in name or not name:  # of another role
            return False
        if session is not None:
            return name == session
        return user is None or fnmatchcase(name, user_pattern(user))

    return cache.remove_answers(is_revoked)

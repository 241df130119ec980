"""A token of a venue for the operator's own work, entered in the ledger like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from venue_access.aws import AssumedRole
from venue_access.config import Settings
from venue_access.inventory.model import Venue
from venue_access.kit import Kit
from venue_access.own_keys.cache import SessionCache
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.denies import user_pattern
from venue_access.tokens.durations import seconds
from venue_access.tokens.entries import enter_issue, entering_refusals
from venue_access.tokens.issue import Refused, TokenRequest, issue


def issue_for_oneself(
    settings: Settings, venue: str, user: str, duration: str, *, source_profile: str | None = None
) -> AssumedRole:
    """Issue a token.

    :param source_profile: the AWS profile to issue with; it overrides the environment's keys and the inventory's
        ``aws_profile``.
    :raises VenueAccessError: there is no such venue, AWS refuses it, or it cannot be entered.
    """
    kit = Kit.open(settings)
    chosen = kit.venue(venue)
    if source_profile is not None:
        chosen = replace(chosen, aws_profile=source_profile)
    request = TokenRequest(chosen, (user,), seconds(duration))
    ledger = kit.ledger(chosen)
    (issued,) = entering_refusals(ledger, request, issue(ledger.aws, request))
    if isinstance(issued, Refused):
        raise issued.error
    enter_issue(ledger, issued, Delivery("printed"), "credential_process")
    return issued.token


def remove_revoked(cache: SessionCache, venue: Venue, *, session: str | None, user: str | None) -> int:
    """Remove the revoked tokens of a venue from the credential cache of this machine, and return how many.

    :param session: the role session name that was revoked; with neither this nor ``user`` every token of the venue was.
    :raises RequestError: the cache cannot be changed.
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

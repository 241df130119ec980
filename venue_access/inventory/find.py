"""Find the venue that a command names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.inventory.recipients import is_called, may_use
from venue_access.inventory.suggestions import did_you_mean


def find_venue(venues: Mapping[str, Venue], wanted: str | None, *, user: str | None = None) -> Venue:
    """Return the venue ``wanted``, by its inventory name, or by the bare venue name if only one project has it.

    None is the only venue of the inventory, or the only one that lists ``user`` (name or email).

    :raises UsageError: no venue or several; with the candidates.
    """
    if wanted is None:
        return _inferred(venues, user)
    if wanted in venues:
        return venues[wanted]
    bare = [venue for venue in venues.values() if venue.venue == wanted]
    if len(bare) == 1:
        return bare[0]
    if bare:
        raise UsageError(f"several projects have a venue {wanted!r}", hint=f"choose one of: {_names(bare)}")
    names = [*venues, *(venue.venue for venue in venues.values())]
    raise UsageError(
        f"the inventory has no venue {wanted!r}{did_you_mean(wanted, names)}", hint=f"it has: {_names(venues.values())}"
    )


def find_venue_of(venues: Mapping[str, Venue], wanted: str | None, users: Iterable[str]) -> Venue:
    """Return the venue as ``find_venue`` does, for several users.

    :raises UsageError: their venues differ.
    """
    found = {venue.name: venue for venue in (find_venue(venues, wanted, user=user) for user in users)}
    if len(found) > 1:
        raise UsageError("these users are of several venues", hint=f"choose one with --venue: {_names(found.values())}")
    return next(iter(found.values()))


def _inferred(venues: Mapping[str, Venue], user: str | None) -> Venue:
    candidates = list(venues.values())
    if not candidates:
        raise UsageError("the inventory has no venue")
    if len(candidates) > 1 and user is not None:
        candidates = [venue for venue in candidates if _lists(venue, user)] or candidates
    if len(candidates) > 1:
        raise UsageError("which venue?", hint=f"choose one with --venue: {_names(candidates)}")
    return candidates[0]


def _lists(venue: Venue, user: str) -> bool:
    return any(is_called(recipient, user) and may_use(recipient, venue) for recipient in venue.users.values())


def _names(venues: Iterable[Venue], most: int = 20) -> str:
    names = [venue.name for venue in venues]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

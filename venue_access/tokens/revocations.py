"""What is asked of ``revoke-token``, what came of it, and its record in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from venue_access import ui
from venue_access.aws import Aws
from venue_access.errors import AccessRefused, DeliveryError, RequestError, VenueAccessError
from venue_access.inventory import checks
from venue_access.inventory.model import Venue
from venue_access.inventory.recipients import name_of
from venue_access.ledger.book import Ledger
from venue_access.ledger.listing import UNDO
from venue_access.ledger.proofs import ProofSessions
from venue_access.ledger.record import Kind
from venue_access.tokens.names import LONGEST_USER, is_of_a_token, user_part
from venue_access.tokens.revoke import Revoker, Standing

HONESTLY = (
    "AWS may take some moments until it denies everywhere; GetCallerIdentity answers a revoked token still, and a"
    " Docker login that was made with it may work for up to 12 h"
)


@dataclass(frozen=True)
class Wish:
    """One of: a session, a user, all, what is revoked, and what is to be taken back."""

    session: str | None = None
    user: str | None = None
    undo: str | None = None
    list: bool = False
    alike: tuple[str, ...] = ()
    """Other users whose tokens cannot be told from this one's."""

    @classmethod
    def of(
        cls, venue: Venue, *, session: str | None, user: str | None, all: bool, list: bool, undo: str | None
    ) -> Wish:
        """What the flags mean.

        :raises RequestError: none of them, or several, or a name that no token has.
        """
        flags = {"--session": session, "--user": user, "--all": all, "--list": list, "--undo": undo}
        given = [flag for flag, value in flags.items() if value is not None and value is not False]
        if len(given) != 1:
            raise RequestError(
                "which tokens?" if not given else f"{' and '.join(given)} exclude each other",
                hint="say one of --session NAME, --user NAME, --all, --list, --undo NAME",
            )
        if session is not None:
            try:
                session = checks.session_name(session)
            except checks.Unfit as unfit:
                raise RequestError(
                    f"the role session name {unfit}", hint="it is the last part of the token's ARN"
                ) from unfit
        name = None if user is None else name_of(venue, user)
        alike = () if name is None else tuple(sorted(_alike(name, venue)))
        return cls(session, name, undo, list, alike)

    def __str__(self) -> str:
        if self.undo is not None:
            return f"take back {self.undo}"
        if self.session is not None:
            return f"revoke the session {self.session}"
        return f"revoke the tokens of {self.user}" if self.user is not None else "revoke everybody's tokens"


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    venue: Venue
    revoked: Standing | None = None
    undone: Standing | None = None
    unproved: str | None = None
    """Why it could not be proved that a revoked token is denied."""
    revocations: tuple[Standing, ...] = ()
    """For ``--list``."""
    pruned: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "venue": self.venue.name,
            "revoked": None if self.revoked is None else self.revoked.document(),
            "proved": None if self.revoked is None else self.unproved is None,
            "undone": None if self.undone is None else self.undone.document(),
            "revocations": [each.document() for each in self.revocations],
            "pruned": list(self.pruned),
        }

    def lines(self) -> list[str]:
        """What it came to, for a person."""
        name = self.venue.name
        if self.revoked is not None:
            return [f"{name}: revoked {self.revoked.line()}"]
        if self.undone is not None:
            return [f"{name}: took back {self.undone.line()}"]
        return [f"{name}: {each.line()}" for each in self.revocations]


def revoke(wish: Wish, aws: Aws, venue: Venue, open_ledger: Callable[[], Ledger], reason: str | None = None) -> Outcome:
    """Do what is wished, and enter it into the ledger.

    A ledger that cannot be written does not keep anybody from revoking: that is told afterwards, as an error.

    :raises RequestError: there is no room for another revocation, or none of that name.
    :raises AccessRefused: the caller may not change the role.
    :raises DifferenceFound: AWS does not deny yet.
    :raises DeliveryError: it was done, and could not be entered.
    """
    open_ledger = cache(open_ledger)  # two records at most, and one warning of damage
    try:
        with ProofSessions("revoke-token", aws, venue).recorded(lambda *_: open_ledger()) as sessions:
            return _done(wish, sessions, open_ledger, reason)
    except AccessRefused as error:
        needed = f"revoking takes a provisioner's rights: invoke operator-policy --venue {venue.name}"
        raise AccessRefused(f"{venue.name}: {error.message}", hint=needed, code=error.code) from error


def _done(wish: Wish, sessions: ProofSessions, open_ledger: Callable[[], Ledger], reason: str | None) -> Outcome:
    venue, revoker = sessions.venue, Revoker(sessions)
    if wish.list:
        found = revoker.standing()
        if not found:
            ui.say(f"{venue.name}: nothing is revoked")
        return Outcome(venue, revocations=tuple(found))
    if wish.undo is not None:
        undone = revoker.undo(wish.undo)
        ui.say(f"{venue.name}: the tokens that it denied work again, unless they have expired")
        _enter(open_ledger, undone, reason, scope=UNDO)
        return Outcome(venue, undone=undone, pruned=tuple(revoker.pruned))
    if wish.user is not None and len(wish.user) >= LONGEST_USER:
        others = f", {', '.join(wish.alike)} among them" if wish.alike else ""
        ui.warn(
            f"a session name has the first {LONGEST_USER} characters of a user's: this revokes the tokens of everybody"
            f" whose name begins with {user_part(wish.user)}{others}"
        )
    if wish.session is not None and not is_of_a_token(wish.session):
        ui.warn(f"{wish.session} is not like the names that issue-token gives: see that it is the whole of one")
    revoked = revoker.revoke(session=wish.session, user=wish.user)
    assert revoked.standing.revocation is not None
    try:
        unproved = revoked.settle(venue)
        if unproved is None:
            ui.say(f"{venue.name}: proved: a token of that kind is denied now")
        else:
            ui.warn(f"{venue.name}: it was not proved: {unproved}")
        ui.say(HONESTLY)
    finally:
        _enter(open_ledger, revoked.standing, reason, scope=revoked.standing.revocation.scope)
    return Outcome(venue, revoked=revoked.standing, unproved=unproved, pruned=tuple(revoker.pruned))


def _enter(open_ledger: Callable[[], Ledger], standing: Standing, reason: str | None, *, scope: str) -> None:
    found = standing.revocation
    try:
        open_ledger().record(
            Kind.REVOCATION,
            recipient=None if found is None else found.user,
            role_session_name=None if found is None else found.session,
            issued_before=None if found is None else found.issued_before,
            expires=standing.expires,
            policy=standing.name,
            scope=scope,
            reason=reason,
        )
    except VenueAccessError as error:
        done = "taken back" if scope == UNDO else "in force"
        raise DeliveryError(
            f"{standing.name} is {done}, but it could not be entered into the ledger: {error.message}", hint=error.hint
        ) from error


def _alike(name: str, venue: Venue) -> set[str]:
    """The other users of the venue whose session names have the same part of their name."""
    return {other for other in venue.users if other != name and user_part(other) == user_part(name)}

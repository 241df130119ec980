"""What is asked of ``revoke-token``, what came of it, and its record in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.aws.identity import LONGEST_USER, is_of_a_token, user_part
from venue_access.errors import AccessDenied, UsageError
from venue_access.inventory import validators as checks
from venue_access.inventory.model import Venue
from venue_access.inventory.recipients import name_of, similar_user, unknown_user
from venue_access.inventory.suggestions import misspelt
from venue_access.ledger.book import Ledger
from venue_access.ledger.listing import UNDO, in_effect
from venue_access.ledger.proofs import ProofSessions
from venue_access.ledger.record import Kind, Record
from venue_access.tokens.revocation_records import UNRECORDED, Entries
from venue_access.tokens.revoke import Revoker, Standing

CAVEATS = (
    "AWS may take some moments until it denies everywhere; GetCallerIdentity answers a revoked token still, and a"
    " Docker login that was made with it may work for up to 12 h"
)


@dataclass(frozen=True)
class RevocationRequest:
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
    ) -> RevocationRequest:
        """What the flags mean.

        :raises UsageError: none of them, or several, or a name that no token has.
        """
        flags = {"--session": session, "--user": user, "--all": all, "--list": list, "--undo": undo}
        given = [flag for flag, value in flags.items() if value is not None and value is not False]
        if len(given) != 1:
            raise UsageError(
                "which tokens?" if not given else f"{' and '.join(given)} exclude each other",
                hint="say one of --session NAME, --user NAME, --all, --list, --undo NAME",
            )
        if session is not None:
            try:
                session = checks.session_name(session)
            except checks.InvalidValue as unfit:
                raise UsageError(
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


@dataclass
class Revoking:
    """One run of ``revoke-token``, with what the venue's ledger knows.

    :param read_records: the records of the venue's ledger; read when they are first needed.
    """

    request: RevocationRequest
    venue: Venue
    open_ledger: Callable[[], Ledger]
    read_records: Callable[[], Sequence[Record]]
    reason: str | None = None
    accept_similar: bool = False
    """Take a user or session that is one slip away from a known one as given."""

    def check(self) -> None:
        """Refuse a user or session that is unknown and probably a slip.

        :raises UsageError: it names what is probably meant.
        """
        user, session = self.request.user, self.request.session
        if self.accept_similar or self._is_listed(user):
            return
        if user is not None and not self._issued():
            others = {each.recipient for each in self._tokens if each.recipient is not None}
            meant = similar_user(self.venue, user, sorted(others))
            if meant is not None:
                raise unknown_user(self.venue, user, meant)
        if session is not None and not self._issued():
            meant = misspelt(session, tuple(each.role_session_name or "" for each in self._tokens))
            if meant is not None:
                raise UsageError(
                    f"{self.venue.name}: no token has the session name {session!r} (did you mean {meant!r}?)",
                    hint=f"if {session!r} is the right name, pass --yes",
                )

    def run(self, aws: AwsClient) -> Outcome:
        """Do what is wished, and enter it into the ledger.

        A ledger that cannot be written does not keep anybody from revoking: that is told afterwards, as an error.

        :raises UsageError: there is no room for another revocation, or none of that name.
        :raises AccessDenied: the caller may not change the role.
        :raises CheckFailed: AWS does not deny yet.
        :raises DeliveryError: it was done, and could not be entered.
        """
        try:
            with ProofSessions("revoke-token", aws, self.venue).recorded(lambda *_: self.open_ledger()) as sessions:
                revoker = Revoker(sessions)
                if self.request.list:
                    return self._list(revoker)
                return (
                    self._undo(revoker, self.request.undo) if self.request.undo is not None else self._revoke(revoker)
                )
        except AccessDenied as error:
            needed = f"revoking takes a provisioner's rights: invoke operator-policy --venue {self.venue.name}"
            raise AccessDenied(f"{self.venue.name}: {error.message}", hint=needed, code=error.code) from error

    def _list(self, revoker: Revoker) -> Outcome:
        found = revoker.standing()
        if not found:
            console.say(f"{self.venue.name}: nothing is revoked")
        return Outcome(self.venue, revocations=tuple(found))

    def _undo(self, revoker: Revoker, name: str) -> Outcome:
        entries = Entries(self.open_ledger, self.reason)
        on_role = {each.name for each in revoker.standing()}
        recorded = self._recorded.get(name)
        if name not in on_role and recorded is not None and recorded.expires and recorded.expires > entries.now():
            # An earlier run took it off, and did not come to record it.
            undone = Standing(name, recorded.expires, None)
            console.say(f"{self.venue.name}: {name} is not on the role any longer; the ledger has that now too")
        else:
            undone = revoker.undo(name)
            console.say(f"{self.venue.name}: the tokens that it denied work again, unless they have expired")
        for each in revoker.found:
            if each.name not in self._recorded and each.name != name:
                entries.add(each, reason=UNRECORDED)
        entries.add(undone, revokes=UNDO)
        entries.conclude()
        return Outcome(self.venue, undone=undone, pruned=tuple(revoker.pruned))

    def _revoke(self, revoker: Revoker) -> Outcome:
        request, name = self.request, self.venue.name
        if request.user is not None and len(request.user) >= LONGEST_USER:
            others = f", {', '.join(request.alike)} among them" if request.alike else ""
            console.warn(
                f"a session name has the first {LONGEST_USER} characters of a user's: this revokes the tokens of"
                f" everybody whose name begins with {user_part(request.user)}{others}"
            )
        if request.session is not None and not is_of_a_token(request.session):
            console.warn(
                f"{request.session} is not like the names that issue-token gives: see that it is the whole of one"
            )
        revoked = revoker.revoke(session=request.session, user=request.user)
        entries = Entries(self.open_ledger, self.reason)
        # At once: a run that is killed while it waits for AWS has its record.
        unrecorded = [each for each in revoker.found if each.name not in self._recorded]
        for each in unrecorded:
            entries.add(each, reason=UNRECORDED)
        if revoked.standing.name not in self._recorded:
            entries.add(revoked.standing)
        try:
            unproved = revoked.wait_until_effective(self.venue)
        except BaseException:
            entries.warn()
            raise
        replaceable = revoked.older if request.session is not None else [each.name for each in unrecorded]
        replaced = revoker.replace(revoked, replaceable)
        for each in revoker.found:
            if each.name in revoker.pruned and each.expires > entries.now():  # another one denies its tokens
                by = f"replaced by {revoked.standing.name}" if each.name in replaced else "covered by one of all tokens"
                entries.add(each, revokes=UNDO, reason=by)
        if not self._issued():
            unknown = request.session if request.session is not None else request.user
            console.say(f"{name}: the ledger has no token of {unknown}")
            if (
                unproved is None
                and not self._is_listed(request.user)
                and not self._is_listed(_user_of(request.session))
            ):
                unproved = f"no token of {unknown} is known, so there is none to prove it of"
        if unproved is None:
            console.say(f"{name}: proved: a token of that kind is denied now")
        else:
            console.warn(f"{name}: it was not proved: {unproved}")
        console.say(CAVEATS)
        entries.conclude()
        return Outcome(self.venue, revoked=revoked.standing, unproved=unproved, pruned=tuple(revoker.pruned))

    @cached_property
    def _of_role(self) -> list[Record]:
        return [each for each in self.read_records() if each.role_arn == self.venue.role_arn]

    @cached_property
    def _tokens(self) -> list[Record]:
        return [each for each in self._of_role if each.kind is Kind.ISSUE]

    @cached_property
    def _recorded(self) -> dict[str | None, Record]:
        """The revocations that the ledger has and that were not taken back, by the name of their policy."""
        return {each.policy: each for each in in_effect(sorted(self._of_role, key=lambda record: record.when))}

    def _issued(self) -> bool:
        """Whether the ledger has a token of those that are to be revoked."""
        user, session = self.request.user, self.request.session
        if user is None and session is None:
            return True
        return any(session == each.role_session_name if session else user == each.recipient for each in self._tokens)

    def _is_listed(self, user: str | None) -> bool:
        return user is not None and any(user in (name, user_part(name)) for name in self.venue.users)


def _user_of(session: str | None) -> str | None:
    """The user's part of a session name of the kit's form."""
    return session.rsplit("-", 2)[0] if session is not None and is_of_a_token(session) else None


def _alike(name: str, venue: Venue) -> set[str]:
    """The other users of the venue whose session names have the same part of their name."""
    return {other for other in venue.users if other != name and user_part(other) == user_part(name)}

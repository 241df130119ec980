"""The records of revocations in the ledger, which keeps nobody from revoking where it cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from venue_access import console
from venue_access.errors import DeliveryError, VenueAccessError
from venue_access.ledger.book import Ledger
from venue_access.ledger.listing import UNDO
from venue_access.ledger.record import Kind
from venue_access.tokens.revoke import Standing

UNRECORDED = "found on the role without a record"
"""The reason in the record of a revocation whose run was killed before it was recorded, or is in another ledger."""


class Entries:
    """The records of one run; a ledger that takes none is told of at the end."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        reason: str | None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.now = now
        self._open = open_ledger
        self._reason = reason
        self._ledger: Ledger | None = None
        self._failed: DeliveryError | None = None

    def add(self, standing: Standing, *, revokes: str | None = None, reason: str | None = None) -> None:
        """Record a revocation, or with ``revokes=UNDO`` its undoing. A policy that was edited is recorded only then."""
        found = standing.revocation
        if found is None and revokes is None:
            return
        try:
            self._ledger = self._ledger or self._open()
            self._ledger.record(
                Kind.REVOCATION,
                recipient=None if found is None else found.user,
                role_session_name=None if found is None else found.session,
                issued_before=None if found is None else found.issued_before,
                expires=standing.expires,
                policy=standing.name,
                revokes=revokes if found is None or revokes is not None else found.scope,
                reason=reason or self._reason,
            )
        except VenueAccessError as error:
            done = "taken back" if revokes == UNDO else "in force"
            message = f"{standing.name} is {done}, but it could not be entered into the ledger: {error.message}"
            self._failed = DeliveryError(message, hint=error.hint)

    def warn(self) -> None:
        """Tell of a record that the ledger did not take, where something else ends the run."""
        if self._failed is not None:
            console.warn(self._failed.message)

    def conclude(self) -> None:
        """Return if everything was recorded.

        :raises DeliveryError: the ledger did not take a record.
        """
        if self._failed is not None:
            raise self._failed

"""The sessions that a run of the kit opens to prove something, and their one record in the ledger.

Each run has a session name of its own, such as ``venue-access-verify-20261120T221500Z-3f9c21ab``. The sessions last
fifteen minutes, and their credentials never leave memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from venue_access import console
from venue_access.aws.client import AssumedRole, AwsClient
from venue_access.errors import VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger
from venue_access.ledger.record import Kind
from venue_access.sensitive import ExternalId

SHORTEST = 900
"""Seconds (AWS STS API reference, AssumeRole, DurationSeconds)."""


class ProofSessions:
    """Opens sessions of a venue's role, and remembers those that AWS gave.

    :param command: the command that proves something, such as ``verify``.
    :param aws: the way to the venue's account, as its operator.
    """

    def __init__(
        self,
        command: str,
        aws: AwsClient,
        venue: Venue,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        unique: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self.aws = aws
        self.venue = venue
        self.name = f"venue-access-{command}-{now():%Y%m%dT%H%M%SZ}-{unique()}"
        self._command = command
        self._opened: list[tuple[str, AssumedRole]] = []

    def assume(self, external_id: ExternalId | None, *, name: str | None = None) -> AssumedRole:
        """Assume the venue's role as for a token, for fifteen minutes.

        :param name: the role session name, where it must be another than this run's.
        :raises AccessDenied: the role does not accept the external ID, or (None) the lack of one.
        """
        name = name or self.name
        token = self.aws.assume_role(
            self.venue.role_arn,
            name,
            external_id=external_id,
            duration=SHORTEST,
            # STS refuses the whole call where the trust policy does not allow these, so they are part of the proof.
            source_identity=name if self.venue.source_identity else None,
            tags=self.venue.session_tags,
        )
        self._opened.append((name, token))
        return token

    def assume_with(self, role_arn: str, external_id: ExternalId, token: AwsClient) -> None:
        """Try to assume a role with a token, which should be refused."""
        assumed = token.assume_role(role_arn, self.name, external_id=external_id, duration=SHORTEST)
        self._opened.append((self.name, assumed))

    @contextmanager
    def recorded(self, open_ledger: OpenLedger, warn: Callable[[str], None] = console.warn) -> Iterator[ProofSessions]:
        """Enter the sessions that are opened meanwhile into the ledger, also after an error or Ctrl-C.

        What was proved holds also where they cannot be entered: that is a warning.
        """
        try:
            yield self
        finally:
            if self._opened:
                self._record(open_ledger, warn)

    def _record(self, open_ledger: OpenLedger, warn: Callable[[str], None]) -> None:
        names, tokens = zip(*self._opened, strict=True)
        try:
            open_ledger(self.venue, warn).record(
                Kind.PROOF,
                command=self._command,
                proof_session_names=names,
                proof_access_key_ids=tuple(token.credentials.access_key_id for token in tokens),
                expires=max(token.expiration for token in tokens),
            )
        except VenueAccessError as error:
            warn(f"{self.venue.name}: the sessions of {self.name} could not be entered into the ledger: {error}")

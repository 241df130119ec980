"""Assume a venue's role to prove what it allows, and record these sessions in the ledger.

Each run has a unique session name, such as ``venue-access-verify-20261120T221500Z-3f9c21ab``. The sessions last fifteen
minutes, and their credentials never leave memory.
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
from venue_access.ledger.chain import Kind
from venue_access.sensitive import ExternalId

SHORTEST = 900
"""Seconds (AWS STS API reference, AssumeRole, DurationSeconds)."""


class ProofSessions:
    """Assumes a venue's role, and collects the sessions for the ledger.

    :param command: the command that runs the proof, such as ``verify``.
    :param aws: the client of the venue's account, with the operator's credentials.
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
        """Assume the venue's role for fifteen minutes, with the parameters of a token.

        :param name: the role session name, if it must differ from this run's.
        :raises AccessDenied: the role refuses the external ID, or a call without one.
        """
        name = name or self.name
        token = self.aws.assume_role(
            self.venue.role_arn,
            name,
            external_id=external_id,
            duration=SHORTEST,
            # STS refuses the call if the trust policy does not allow these, so the proof must send them.
            source_identity=name if self.venue.source_identity else None,
            tags=self.venue.session_tags,
        )
        self._opened.append((name, token))
        return token

    def assume_with(self, role_arn: str, external_id: ExternalId, token: AwsClient) -> None:
        """Try to assume a role with a token; AWS should refuse that."""
        assumed = token.assume_role(role_arn, self.name, external_id=external_id, duration=SHORTEST)
        self._opened.append((self.name, assumed))

    @contextmanager
    def recorded(self, open_ledger: OpenLedger, warn: Callable[[str], None] = console.warn) -> Iterator[ProofSessions]:
        """Record the sessions that the ``with`` block opens, also after an error or Ctrl-C.

        If they cannot be recorded, that is a warning: the result of the proof is still valid.
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
            warn(f"{self.venue.name}: cannot record the sessions of {self.name} in the ledger: {error}")

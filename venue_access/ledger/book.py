"""Open a venue's ledger and record what happens, with the ARN of the caller; record the kit's own proof sessions."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, Protocol

from venue_access import console, times
from venue_access.aws.client import AssumedRole, AwsClient
from venue_access.config import Settings
from venue_access.errors import AwsError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.chain import End, Kind, Line, Record
from venue_access.ledger.local import LocalLedger
from venue_access.sensitive import ExternalId, redact_all

PROOF_DURATION = 900
"""Seconds that a proof session lasts: the least (AWS STS API reference, AssumeRole, DurationSeconds)."""


class Store(Protocol):
    """The storage of a ledger: a local file, or S3. Each method raises ``VenueAccessError`` if it cannot be used."""

    name: str
    """The storage's path or URL, for messages."""
    remedy: str
    """What to do about damage."""

    def prepare(self) -> tuple[End, bool]:
        """Return the end of the chain, and whether a record can certainly be appended.

        :raises VenueAccessError: no record can be appended.
        """

    def end(self) -> End:
        """Return the end of the chain."""

    def append(self, record: Record) -> End:
        """Append a record durably, and return the end that it is linked to.

        :raises VenueAccessError: it cannot be written; the ledger is unchanged.
        """

    def lines(self) -> list[Line]:
        """Return the entries in their order."""

    def foreign_objects(self) -> list[str]:
        """Return the names of objects among the records that cannot be records."""


class Ledger:
    """The ledger of one venue.

    The caller's identity comes from GetCallerIdentity, which runs beside the command's other calls. It is never copied
    from an earlier record, which may be forged.

    If the end of the ledger is damaged, a warning is printed, and the next record names the damage that it skips.

    :param reach: returns the client of the venue's account.
    :param warn: prints a warning.
    :raises VenueAccessError: no record can be appended. This is found before anything is issued.
    """

    def __init__(
        self,
        venue: Venue,
        store: Store,
        reach: Callable[[], AwsClient],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        warn: Callable[[str], None] = console.warn,
    ) -> None:
        self._venue = venue
        self._store = store
        self._reach = reach
        self._now = now
        self._warn = warn
        self._warned = False
        self._lock = threading.Lock()
        self._aws: AwsClient | None = None
        self._access_key_id = ""
        self._asking: threading.Thread | None = None
        end, is_writable = store.prepare()
        self._warn_of(end)
        if not is_writable:
            self.record(Kind.START)

    def identify_operator(self) -> AwsClient:
        """Begin to look up the caller in a thread, so that its ARN is known when something is recorded."""
        with self._lock:
            if self._aws is None:
                aws = self._reach()
                self._access_key_id = aws.credentials().access_key_id
                if aws.known_caller is None:
                    self._asking = threading.Thread(target=_ask_caller, args=(aws,), daemon=True)
                    self._asking.start()
                self._aws = aws
            return self._aws

    def aws(self) -> AwsClient:
        """Return the client of the venue's account, and begin to look up the caller."""
        self.identify_operator()
        return self._reach()

    def record(self, kind: Kind, *, when: datetime | None = None, **details: Any) -> Record:
        """Append a record, durably when this returns. Thread-safe.

        :param details: fields of ``Record``. Sensitive values are redacted in text that an operator typed.
        :raises VenueAccessError: it cannot be appended; the ledger is unchanged.
        """
        aws = self.identify_operator()
        for field in ("reason", "scope"):  # an operator typed them, whose credentials are known by now
            if details.get(field) is not None:
                details[field] = redact_all(details[field])
        if self._asking is not None:
            self._asking.join()
        record = Record(
            kind=kind,
            when=when or self._now(),
            operator=f"access key {self._access_key_id}" if aws.known_caller is None else aws.known_caller.arn,
            operator_access_key_id=self._access_key_id,
            venue=self._venue.name,
            role_arn=self._venue.role_arn,
            **details,
        )
        with times.current().extended():
            self._warn_of(self._store.append(record))
        return record

    def _warn_of(self, end: End) -> None:
        """Warn of a damaged end, once."""
        found = [*end.damaged, *end.apart]
        if found and not self._warned:
            self._warned = True
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            consequence = "the next record names that and skips it" if end.damaged else "it is ignored"
            self._warn(
                f"the ledger {self._store.name} is damaged at its end: {found[0].named()}{more}; {consequence};"
                " see: invoke ledger.verify"
            )


def _ask_caller(aws: AwsClient) -> None:
    try:
        aws.caller()  # the client stores it
    except AwsError:
        pass  # invalid credentials have no ARN


def open_ledger(
    settings: Settings, venue: Venue, reach: Callable[[], AwsClient], warn: Callable[[str], None] = console.warn
) -> Ledger:
    """Return the ledger of a venue: see ``Ledger``."""
    return Ledger(venue, _store_of(settings, venue, reach), reach, warn=warn)


def _store_of(settings: Settings, venue: Venue, reach: Callable[[], AwsClient]) -> Store:
    if venue.ledger is None:
        return LocalLedger(settings)

    from venue_access.ledger.s3 import S3Ledger  # not imported for a local ledger

    return S3Ledger(venue.ledger, reach)


@dataclass(frozen=True)
class StoredLedger:
    """A ledger with the names of the venues that share it."""

    store: Store
    venues: tuple[str, ...]


def stores_of(settings: Settings, venues: Iterable[Venue], reach: Callable[[Venue], AwsClient]) -> list[StoredLedger]:
    """Return the ledgers of these venues, without duplicates."""
    shared: dict[Any, list[Venue]] = {}
    for venue in venues:
        shared.setdefault(venue.ledger, []).append(venue)
    return [
        StoredLedger(_store_of(settings, group[0], partial(reach, group[0])), tuple(each.name for each in group))
        for group in shared.values()
    ]


OpenLedger = Callable[[Venue, Callable[[str], None]], Ledger]
"""Opens a venue's ledger; the second argument prints its warnings."""


class ProofSessions:
    """Assumes a venue's role to prove what it allows, and collects the sessions for the ledger.

    Each run has a unique session name, such as ``venue-access-verify-20261120T221500Z-3f9c21ab``. The sessions last
    fifteen minutes, and their credentials never leave memory.

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
            duration=PROOF_DURATION,
            # STS refuses the call if the trust policy does not allow these, so the proof must send them.
            source_identity=name if self.venue.source_identity else None,
            tags=self.venue.session_tags,
        )
        self._opened.append((name, token))
        return token

    def assume_with(self, role_arn: str, external_id: ExternalId, token: AwsClient) -> None:
        """Try to assume a role with a token; AWS should refuse that."""
        assumed = token.assume_role(role_arn, self.name, external_id=external_id, duration=PROOF_DURATION)
        self._opened.append((self.name, assumed))

    @contextmanager
    def recorded(self, open_ledger: OpenLedger, warn: Callable[[str], None] = console.warn) -> Iterator[ProofSessions]:
        """Record the sessions that the ``with`` block opens, also after an error or Ctrl-C.

        If they cannot be recorded, that is a warning: the result of the proof is still valid.
        """
        try:
            yield self
        finally:
            try:
                if self._opened:
                    open_ledger(self.venue, warn).record(
                        Kind.PROOF,
                        command=self._command,
                        proof_session_names=tuple(name for name, _ in self._opened),
                        proof_access_key_ids=tuple(token.credentials.access_key_id for _, token in self._opened),
                        expires=max(token.expiration for _, token in self._opened),
                    )
            except VenueAccessError as error:
                warn(f"{self.venue.name}: cannot record the sessions of {self.name} in the ledger: {error}")

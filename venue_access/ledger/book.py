"""Open a venue's ledger and record what happens, with the ARN of the caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, Protocol

from venue_access import console, deadline
from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import AwsError
from venue_access.inventory.model import Venue
from venue_access.ledger.chain import End, Kind, Line, Record
from venue_access.ledger.local import LocalLedger
from venue_access.sensitive import redact_all

_TYPED_FIELDS = ("reason", "scope")
"""The fields with text that an operator typed: sensitive values are redacted in them."""


class Store(Protocol):
    """The storage of a ledger: a local file, or S3."""

    @property
    def name(self) -> str:
        """The storage's path or URL, for messages."""

    @property
    def remedy(self) -> str:
        """What to do about damage."""

    def prepare(self) -> tuple[End, bool]:
        """Return the end of the chain, and whether a record can certainly be appended."""

    def end(self) -> End:
        """Return the end of the chain."""

    def append(self, record: Record) -> End:
        """Append a record durably, and return the end that it is linked to."""

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
        self._operator: _Operator | None = None
        end, is_writable = store.prepare()
        self._warn_of(end)
        if not is_writable:
            self.record(Kind.START)

    def identify_operator(self) -> None:
        """Begin to look up the caller in a thread, so that its ARN is known when something is recorded."""
        with self._lock:
            if self._operator is None:
                self._operator = _Operator(self._reach())

    def aws(self) -> AwsClient:
        """Return the client of the venue's account, and begin to look up the caller."""
        self.identify_operator()
        return self._reach()

    def record(self, kind: Kind, *, when: datetime | None = None, **details: Any) -> Record:
        """Append a record, durably when this returns. Thread-safe.

        :param details: fields of ``Record``. Sensitive values are redacted in text that an operator typed.
        :raises VenueAccessError: it cannot be appended; the ledger is unchanged.
        """
        self.identify_operator()
        assert self._operator is not None
        typed = [field for field in _TYPED_FIELDS if details.get(field) is not None]
        details |= {field: redact_all(details[field]) for field in typed}  # the operator's credentials are known by now
        record = Record(
            kind=kind,
            when=when or self._now(),
            operator=self._operator.arn(),
            operator_access_key_id=self._operator.access_key_id,
            venue=self._venue.name,
            role_arn=self._venue.role_arn,
            **details,
        )
        with deadline.current().extended():
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


OpenLedger = Callable[[Venue, Callable[[str], None]], Ledger]
"""Opens a venue's ledger; the second argument prints its warnings."""


def open_ledger(
    settings: Settings, venue: Venue, reach: Callable[[], AwsClient], warn: Callable[[str], None] = console.warn
) -> Ledger:
    """Return the ledger of a venue: see ``Ledger``."""
    return Ledger(venue, store_of(settings, venue, reach), reach, warn=warn)


def store_of(settings: Settings, venue: Venue, reach: Callable[[], AwsClient]) -> Store:
    """Return the storage of a venue's ledger."""
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
        StoredLedger(store_of(settings, first, partial(reach, first)), tuple(each.name for each in [first, *others]))
        for first, *others in shared.values()
    ]


class _Operator:
    """The caller's identity, looked up in a thread."""

    def __init__(self, aws: AwsClient) -> None:
        self.access_key_id = aws.credentials().access_key_id
        self._aws = aws
        self._asking: threading.Thread | None = None
        if aws.known_caller is None:
            self._asking = threading.Thread(target=self._ask, daemon=True)
            self._asking.start()

    def arn(self) -> str:
        if self._asking is not None:
            self._asking.join()
        known = self._aws.known_caller
        return f"access key {self.access_key_id}" if known is None else known.arn

    def _ask(self) -> None:
        try:
            self._aws.caller()
        except AwsError:
            pass  # invalid credentials have no ARN

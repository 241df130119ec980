"""The ledger of a venue: what is entered, by whom, and where it is kept."""

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
from venue_access.ledger.chain import End, Line
from venue_access.ledger.local import LocalLedger
from venue_access.ledger.record import Kind, Record
from venue_access.sensitive import redact_all

_WRITTEN_BY_PEOPLE = ("reason", "scope")
"""The fields that hold what somebody typed: sensitive values are redacted in them."""


class Store(Protocol):
    """Where a ledger is kept."""

    @property
    def name(self) -> str:
        """Its place, for people."""

    @property
    def way_out(self) -> str:
        """What to do about damage."""

    def prepare(self) -> tuple[End, bool]:
        """Where it ends, and whether it is known that a record can be added; if not, the first one shows it."""

    def end(self) -> End:
        """Where it ends."""

    def append(self, record: Record) -> End:
        """Add a record, for good when this returns; what it was linked to."""

    def lines(self) -> list[Line]:
        """Its entries in their order."""

    def strays(self) -> list[str]:
        """What is among its entries and cannot be one."""


class Ledger:
    """The ledger of one venue, open for entries.

    Who calls is asked of AWS, once for a set of keys and beside the calls that the command makes anyway. It is never
    taken from an earlier record: that may be forged.

    A ledger whose end is damaged is warned of and goes on: the next record says what it goes on after.

    :param reach: the way to the venue's account; ``aws()`` gives it.
    :param warn: takes a warning for the person.
    :raises VenueAccessError: nothing can be entered: known before there is something to enter.
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
        """Begin to ask AWS who calls, in a thread, so that the answer is there when something is recorded."""
        with self._lock:
            if self._operator is None:
                self._operator = _Operator(self._reach())

    def aws(self) -> AwsClient:
        """The way to the venue's account; who calls is being found out meanwhile."""
        self.identify_operator()
        return self._reach()

    def record(self, kind: Kind, *, when: datetime | None = None, **details: Any) -> Record:
        """Enter what happened, on the disk or in S3 when this returns; several threads may do so.

        :param details: fields of ``Record``. In those that hold what somebody typed, sensitive values are redacted.
        :raises VenueAccessError: it cannot be entered; the ledger is as it was.
        """
        self.identify_operator()
        assert self._operator is not None
        typed = [field for field in _WRITTEN_BY_PEOPLE if details.get(field) is not None]
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
            goes_on = "the next record names that and goes on" if end.damaged else "it is passed over"
            self._warn(
                f"the ledger {self._store.name} is damaged at its end: {found[0].named()}{more}; {goes_on};"
                " see: invoke ledger.verify"
            )


OpenLedger = Callable[[Venue, Callable[[str], None]], Ledger]
"""Opens a venue's ledger; its warnings go to the second argument."""


def open_ledger(
    settings: Settings, venue: Venue, reach: Callable[[], AwsClient], warn: Callable[[str], None] = console.warn
) -> Ledger:
    """The ledger of a venue: see ``Ledger``."""
    return Ledger(venue, store_of(settings, venue, reach), reach, warn=warn)


def store_of(settings: Settings, venue: Venue, reach: Callable[[], AwsClient]) -> Store:
    """Where a venue's ledger is kept."""
    if venue.ledger is None:
        return LocalLedger(settings)

    from venue_access.ledger.s3 import S3Ledger  # what most ledgers do not need

    return S3Ledger(venue.ledger, reach)


@dataclass(frozen=True)
class Kept:
    """A ledger that is kept for some venues."""

    store: Store
    venues: tuple[str, ...]


def stores_of(settings: Settings, venues: Iterable[Venue], reach: Callable[[Venue], AwsClient]) -> list[Kept]:
    """The ledgers of these venues, each once."""
    shared: dict[Any, list[Venue]] = {}
    for venue in venues:
        shared.setdefault(venue.ledger, []).append(venue)
    return [
        Kept(store_of(settings, first, partial(reach, first)), tuple(each.name for each in [first, *others]))
        for first, *others in shared.values()
    ]


class _Operator:
    """Who calls: known, or being asked for in a thread of its own."""

    def __init__(self, aws: AwsClient) -> None:
        self.access_key_id = aws.keys().access_key_id
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
            pass  # keys that AWS does not take have no ARN

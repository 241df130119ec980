"""The ledger of a venue: what is entered, by whom, and where it is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, Protocol

from venue_access.aws import Aws
from venue_access.config import Settings
from venue_access.errors import AwsError
from venue_access.inventory.model import Venue
from venue_access.ledger.chain import Line
from venue_access.ledger.local import LocalLedger
from venue_access.ledger.record import Kind, Record
from venue_access.masked import redact

_WRITTEN_BY_PEOPLE = ("reason", "narrowing")
"""The fields that hold what somebody typed: sensitive values are redacted in them."""


class Store(Protocol):
    """Where a ledger is kept."""

    @property
    def name(self) -> str:
        """Its place, for people."""

    def last(self) -> Line | None:
        """Its last entry, having seen that another can be added."""

    def newest(self) -> Line | None:
        """Its last entry."""

    def append(self, record: Record) -> None:
        """Add a record, for good when this returns."""

    def lines(self) -> list[Line]:
        """Its entries in their order."""


class Ledger:
    """The ledger of one venue, open for entries.

    The operator's ARN comes for nothing where the kit assumed the operator's role itself, or where the ledger's last
    entry was made with the same keys. Otherwise AWS is asked, once for a set of keys, beside the calls that the command
    makes anyway.

    :param reach: the way to the venue's account; ``aws()`` gives it.
    :raises VenueAccessError: nothing can be entered: known before there is something to enter.
    """

    def __init__(
        self,
        venue: Venue,
        store: Store,
        reach: Callable[[], Aws],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._venue = venue
        self._store = store
        self._reach = reach
        self._now = now
        self._operator: _Operator | None = None
        self._recording = threading.Lock()
        self._last = store.last()

    def aws(self) -> Aws:
        """The way to the venue's account; who calls is being found out meanwhile."""
        aws = self._reach()
        if self._operator is None:
            self._operator = _Operator(aws, self._last)
        return aws

    def record(self, kind: Kind, *, when: datetime | None = None, **details: Any) -> Record:
        """Enter what happened, on the disk or in S3 when this returns; several threads may do so.

        :param details: fields of ``Record``. In those that hold what somebody typed, sensitive values are redacted.
        :raises VenueAccessError: it cannot be entered; the ledger is as it was.
        """
        with self._recording:
            self.aws()
            assert self._operator is not None
            details |= {field: redact(details[field]) for field in _WRITTEN_BY_PEOPLE if details.get(field) is not None}
            record = Record(
                kind=kind,
                when=when or self._now(),
                operator=self._operator.arn(),
                operator_access_key_id=self._operator.access_key_id,
                venue=self._venue.name,
                role_arn=self._venue.role_arn,
                **details,
            )
            self._store.append(record)
        return record


def open_ledger(settings: Settings, venue: Venue, reach: Callable[[], Aws]) -> Ledger:
    """The ledger of a venue: see ``Ledger``."""
    return Ledger(venue, store_of(settings, venue, reach), reach)


def store_of(settings: Settings, venue: Venue, reach: Callable[[], Aws]) -> Store:
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


def stores_of(settings: Settings, venues: Iterable[Venue], reach: Callable[[Venue], Aws]) -> list[Kept]:
    """The ledgers of these venues, each once."""
    shared: dict[Any, list[Venue]] = {}
    for venue in venues:
        shared.setdefault(venue.ledger, []).append(venue)
    return [
        Kept(store_of(settings, first, partial(reach, first)), tuple(each.name for each in [first, *others]))
        for first, *others in shared.values()
    ]


class _Operator:
    """Who calls: known, remembered by the ledger, or being asked for in a thread of its own."""

    def __init__(self, aws: Aws, last: Line | None) -> None:
        self.access_key_id = aws.keys().access_key_id
        self._aws = aws
        self._asking: threading.Thread | None = None
        self._arn = _remembered(last, self.access_key_id)
        if aws.known_caller is None and self._arn is None:
            self._asking = threading.Thread(target=self._ask, daemon=True)
            self._asking.start()

    def arn(self) -> str:
        if self._asking is not None:
            self._asking.join()
        if self._aws.known_caller is not None:
            return self._aws.known_caller.arn
        return self._arn or f"access key {self.access_key_id}"

    def _ask(self) -> None:
        try:
            self._aws.caller()
        except AwsError:
            pass  # keys that AWS does not take have no ARN


def _remembered(last: Line | None, access_key_id: str) -> str | None:
    """The ARN that the ledger's last entry has for the same keys."""
    if last is None:
        return None
    try:
        document = json.loads(last.text)
    except ValueError:
        return None
    told = document.get("operator", "")
    same = document.get("operator_access_key_id") == access_key_id and told.startswith("arn:")
    return told if same else None

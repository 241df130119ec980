"""Reads whole ledgers: their records, and whether anybody has changed them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from venue_access.errors import DifferenceFound, RequestError
from venue_access.ledger.book import Kept
from venue_access.ledger.chain import NOTHING, faults, head_of, read_all
from venue_access.ledger.record import Record


def records_of(ledgers: Sequence[Kept]) -> tuple[list[Record], list[str]]:
    """The records of ledgers, and the names of the entries in which there is none that can be read."""
    records, unread = [], []
    for kept in ledgers:
        for entry in read_all(kept.store.lines()):
            record = entry.record()
            if record is None:
                unread.append(f"{kept.store.name}: {entry.where}")
            else:
                records.append(record)
    return records, unread


def verify(ledgers: Sequence[Kept], head: str | None = None) -> list[str]:
    """What is to be said of ledgers that are whole, a line each.

    :param head: what ``head`` gave once, written down elsewhere.
    :raises DifferenceFound: a record was changed, removed or moved; each place is named.
    :raises RequestError: ``head`` is none, or could be of several ledgers.
    """
    if head is not None:
        _only(ledgers)
        head = head.strip().lower()
        if not re.fullmatch("[0-9a-f]{64}", head):
            raise RequestError("--head is no hash of 64 hexadecimal digits", hint="invoke ledger.head prints one")
    told, found = [], []
    for kept in ledgers:
        entries = read_all(kept.store.lines())
        found += [f"{kept.store.name}: {fault}" for fault in faults(entries, head=head)]
        count = f"{len(entries)} record{'' if len(entries) == 1 else 's'}"
        since = ""
        if head is not None:
            after = [entry.number for entry in entries if entry.hash == head]
            since = f", {entries[-1].number - after[0] if after else len(entries)} of them since that head"
        told.append(f"{kept.store.name}: {count}{since}; none was changed, removed or moved")
    if found:
        raise DifferenceFound("\n  ".join(["the ledger was tampered with:", *found]))
    return told


def head(ledgers: Sequence[Kept]) -> str:
    """The hash that the next record will carry, to be written down where this ledger's keepers do not reach.

    :raises DifferenceFound: the last record was changed.
    :raises RequestError: there are several ledgers.
    """
    store = _only(ledgers).store
    newest = store.newest()
    try:
        return NOTHING if newest is None else head_of(newest.text).hash
    except ValueError as error:
        raise DifferenceFound(f"{store.name}: {error}", hint="see what invoke ledger.verify finds") from error


def _only(ledgers: Sequence[Kept]) -> Kept:
    if len(ledgers) > 1:
        names = "; ".join(f"{kept.store.name} of {', '.join(kept.venues[:5])}" for kept in ledgers)
        raise RequestError("the venues of this inventory have several ledgers", hint=f"choose with --venue: {names}")
    if not ledgers:
        raise RequestError("the inventory has no venue")
    return ledgers[0]

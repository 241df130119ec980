"""Reads whole ledgers: their records, and whether anybody has changed them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from venue_access.errors import CheckFailed, UsageError, printable
from venue_access.ledger.book import Kept
from venue_access.ledger.chain import read_all
from venue_access.ledger.examine import examine
from venue_access.ledger.record import Record

_MOST_STRAYS = 20


@dataclass
class Reading:
    """What ledgers hold."""

    records: list[Record] = field(default_factory=list)
    doubted: list[Record] = field(default_factory=list)
    """Those that were changed, or put there by somebody, as far as the chain shows."""
    warnings: list[str] = field(default_factory=list)
    """One for each ledger that is damaged, and for each record that a later version may have written."""


def read_ledgers(ledgers: Sequence[Kept]) -> Reading:
    """Read ledgers and verify what is read."""
    reading = Reading()
    for kept in ledgers:
        entries = read_all(kept.store.lines())
        found = examine(entries)
        for entry in entries:
            record = entry.record()
            if record is not None:
                (reading.doubted if entry.where in found.doubted else reading.records).append(record)
            elif entry.intact:
                reading.warnings.append(f"the ledger {kept.store.name}: {entry.named()} cannot be read by this version")
        if found.faults:
            more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
            reading.warnings.append(
                f"the ledger {kept.store.name} is damaged: {found.faults[0]}{more}; see: invoke ledger.verify"
            )
    return reading


@dataclass(frozen=True)
class Verified:
    """What is to be said of ledgers that are whole."""

    lines: list[str]
    notes: list[str]


def verify(ledgers: Sequence[Kept], head: str | None = None) -> Verified:
    """Verify that no record of the ledgers was changed, removed, moved or put there.

    :param head: what ``head`` gave once, written down elsewhere.
    :raises CheckFailed: it does not hold; each place is named, with the way out.
    :raises UsageError: ``head`` is none, or could be of several ledgers.
    """
    if head is not None:
        _only(ledgers)
        head = head.strip().lower()
        if not re.fullmatch("[0-9a-f]{64}", head):
            raise UsageError("--head is no hash of 64 hexadecimal digits", hint="invoke ledger.head prints one")
    lines, notes, faults, ways_out = [], [], [], []
    for kept in ledgers:
        entries = read_all(kept.store.lines())
        found = examine(entries, head=head)
        damage = [*found.faults, *_of_strays(kept.store.strays())]
        faults += [f"{kept.store.name}: {fault}" for fault in damage]
        ways_out += [kept.store.way_out] if damage else []
        notes += [f"{kept.store.name}: {note}" for note in found.notes]
        count = f"{len(entries)} record{'' if len(entries) == 1 else 's'}"
        since = ""
        if head is not None:
            after = [entry.number for entry in entries if entry.hash == head]
            since = f", {entries[-1].number - after[0] if after else len(entries)} of them since that head"
        lines.append(f"{kept.store.name}: {count}{since}; none was changed, removed or moved")
    if faults:
        raise CheckFailed("\n  ".join(["the ledger is damaged:", *faults]), hint="\n  ".join(ways_out))
    return Verified(lines, notes)


def _of_strays(names: Sequence[str]) -> list[str]:
    found = [f"{printable(name)} is not a record: the ledger passes it over" for name in names[:_MOST_STRAYS]]
    more = len(names) - _MOST_STRAYS
    return [*found, f"{more} more objects are not records"] if more > 0 else found


def head(ledgers: Sequence[Kept]) -> str:
    """The hash that the next record will carry, to be written down where this ledger's keepers do not reach.

    :raises CheckFailed: the end is damaged.
    :raises UsageError: there are several ledgers.
    """
    store = _only(ledgers).store
    end = store.end()
    if end.damaged:
        what = f"{store.name}: {end.damaged[0].named()} is not a record that is linked to the ledger"
        raise CheckFailed(what, hint="see what invoke ledger.verify finds")
    return end.head.hash


def _only(ledgers: Sequence[Kept]) -> Kept:
    if len(ledgers) > 1:
        names = "; ".join(f"{kept.store.name} of {', '.join(kept.venues[:5])}" for kept in ledgers)
        raise UsageError("the venues of this inventory have several ledgers", hint=f"choose with --venue: {names}")
    if not ledgers:
        raise UsageError("the inventory has no venue")
    return ledgers[0]

"""Verify ledgers: find what was changed, removed, moved or inserted, and which records may be forged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from venue_access.errors import CheckFailed, UsageError, printable
from venue_access.ledger.book import StoredLedger
from venue_access.ledger.chain import NOTHING, Entry, Record, read_all

_MOST_FOREIGN = 20


@dataclass
class Reading:
    """The records of ledgers."""

    records: list[Record] = field(default_factory=list)
    unverified: list[Record] = field(default_factory=list)
    """Records that may be forged."""
    warnings: list[str] = field(default_factory=list)
    """One for each damaged ledger, and for each record of a later version of the kit."""


def read_ledgers(ledgers: Sequence[StoredLedger]) -> Reading:
    """Return the verified records of ledgers."""
    reading = Reading()
    for ledger in ledgers:
        entries = read_all(ledger.store.lines())
        found = examine(entries)
        for entry in entries:
            record = entry.record()
            if record is not None:
                (reading.unverified if entry.where in found.unverified else reading.records).append(record)
            elif entry.intact:
                reading.warnings.append(f"the ledger {ledger.store.name}: {entry.named()} is of a later version")
        if found.faults:
            more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
            reading.warnings.append(
                f"the ledger {ledger.store.name} is damaged: {found.faults[0]}{more}; see: invoke ledger.verify"
            )
    return reading


@dataclass(frozen=True)
class Verified:
    """The result of verifying intact ledgers."""

    lines: list[str]
    notes: list[str]


def verify(ledgers: Sequence[StoredLedger], head: str | None = None) -> Verified:
    """Verify that no record of the ledgers was changed, removed, moved or inserted.

    :param head: an earlier result of ``head``, stored elsewhere.
    :raises CheckFailed: a ledger is damaged; the message has each place and a remedy.
    :raises UsageError: ``head`` is malformed, or there are several ledgers.
    """
    if head is not None:
        _only(ledgers)
        head = head.strip().lower()
        if not re.fullmatch("[0-9a-f]{64}", head):
            raise UsageError("--head: expected 64 hexadecimal digits", hint="invoke ledger.head prints them")
    lines, notes, faults, remedies = [], [], [], []
    for ledger in ledgers:
        entries = read_all(ledger.store.lines())
        found = examine(entries, head=head)
        foreign = ledger.store.foreign_objects()
        damage = [
            *found.faults,
            *(f"{printable(name)} is not a record: the ledger ignores it" for name in foreign[:_MOST_FOREIGN]),
            *([f"{len(foreign) - _MOST_FOREIGN} more objects are not records"] if foreign[_MOST_FOREIGN:] else []),
        ]
        faults += [f"{ledger.store.name}: {fault}" for fault in damage]
        remedies += [ledger.store.remedy] if damage else []
        notes += [f"{ledger.store.name}: {note}" for note in found.notes]
        count = f"{len(entries)} record{'' if len(entries) == 1 else 's'}"
        if head is not None:
            after = [entry.number for entry in entries if entry.hash == head]
            count += f", {entries[-1].number - after[0] if after else len(entries)} of them since that head"
        lines.append(f"{ledger.store.name}: {count}; none was changed, removed or moved")
    if faults:
        raise CheckFailed("\n  ".join(["the ledger is damaged:", *faults]), hint="\n  ".join(remedies))
    return Verified(lines, notes)


def head(ledgers: Sequence[StoredLedger]) -> str:
    """Return the hash of the last record, to be stored where nobody who can write the ledger can change it.

    :raises CheckFailed: the end is damaged.
    :raises UsageError: there are several ledgers.
    """
    store = _only(ledgers).store
    end = store.end()
    if end.damaged:
        message = f"{store.name}: {end.damaged[0].named()} is not linked to the ledger"
        raise CheckFailed(message, hint="for details: invoke ledger.verify")
    return end.hash


def _only(ledgers: Sequence[StoredLedger]) -> StoredLedger:
    """Raise ``UsageError`` unless there is one ledger; return it."""
    if len(ledgers) > 1:
        names = "; ".join(f"{ledger.store.name} of {', '.join(ledger.venues[:5])}" for ledger in ledgers)
        raise UsageError("the venues of this inventory have several ledgers", hint=f"choose with --venue: {names}")
    if not ledgers:
        raise UsageError("the inventory has no venue")
    return ledgers[0]


@dataclass
class Examination:
    """The faults of a chain, each with its place; none if the chain is intact."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Damage that a record names and that has been removed since."""
    unverified: set[str] = field(default_factory=set)
    """The places of entries whose records may be forged."""

    def fault(self, text: str, *unverified: Entry) -> None:
        """Add a fault, with the entries that may be forged."""
        if text not in self.faults:
            self.faults.append(text)
        self.unverified.update(entry.where for entry in unverified)


def examine(entries: Sequence[Entry], *, head: str | None = None) -> Examination:
    """Find the entries of a ledger that were changed, removed, moved or inserted.

    :param entries: in the order of the ledger.
    :param head: the hash of an earlier head, whose entry must still be present.
    """
    found = Examination()
    skipped = _skipped(entries, found)
    linked = [entry for place, entry in enumerate(entries) if place not in skipped]
    for entry in linked:
        if not entry.intact:
            found.fault(f"{entry.named()} {_broken(entry)}", entry)
    _check_links(_in_order(linked, found), found)
    if head is not None and head not in {NOTHING, *(entry.hash for entry in entries)}:
        last = f"the last is {entries[-1].named()}" if entries else "it is empty"
        found.fault(f"the record with the head {head} is missing: the end was truncated or rewritten; {last}")
    return found


def _skipped(entries: Sequence[Entry], found: Examination) -> set[int]:
    """Return the positions of the entries that a later one says it skips, each a fault."""
    positions: set[int] = set()
    for place, entry in enumerate(entries):
        if not entry.intact or not entry.skipped:
            continue
        behind = _behind_head(entries, place)
        before = entries[behind[0] - 1] if behind and behind[0] else None
        if behind and entries[behind[0]].follows(before):
            sound = entries[behind[0]].where
            found.fault(f"{entry.named()} claims to skip damage, but {sound} is intact", entry)
            positions.add(place)
            continue
        positions.update(behind)
        names = entry.document.get("found", [])
        for other in (entries[each] for each in behind):
            # Of many, an entry names only the first that it skips.
            is_named = other.fingerprint in names or len(names) < entry.skipped
            changed = "" if is_named else ", and it was changed or inserted since"
            what = "is not linked to the record before it" if other.intact else _broken(other)
            found.fault(f"{other.named()} {what}: {entry.named()} skips it{changed}", other)
            if before is not None and other.intact and before.number == other.after:
                text = f"{before.named()} was changed, or {other.where} was inserted, which does not carry its hash"
                found.fault(text)
        if not behind:
            removed = ", ".join(printable(str(each)) for each in names)
            found.notes.append(f"{entry.named()} skips damage that has been removed: {removed}")
    return positions


def _broken(entry: Entry) -> str:
    return "was changed" if entry.document else "is not a record"


def _behind_head(entries: Sequence[Entry], place: int) -> range:
    """Return the positions between the entry at ``place`` and the one that it is linked to."""
    entry, first = entries[place], place
    while first > max(0, place - entry.skipped):
        other = entries[first - 1]
        if other.intact and other.hash == entry.previous:
            break
        first -= 1
    return range(first, place)


def _in_order(entries: Iterable[Entry], found: Examination) -> dict[int, Entry]:
    """Return the entries by number; a repeated number, or one after a higher number, is a fault."""
    carried = {entry.previous for entry in entries if entry.intact}
    first: dict[int, Entry] = {}
    highest: Entry | None = None
    for entry in entries:
        other = first.setdefault(entry.number, entry)
        if other is not entry:
            if entry.hash in carried and other.hash not in carried:  # the earlier one was inserted
                first[entry.number], entry, other = entry, other, entry
            found.fault(f"{entry.named()} repeats the number of {other.where}", entry)
        elif highest is not None and entry.number < highest.number:
            found.fault(f"{entry.named()} was moved: it is after record {highest.number}", entry)
        if highest is None or entry.number > highest.number:
            highest = entry
    return first


def _check_links(entries: dict[int, Entry], found: Examination) -> None:
    """Find missing numbers, and entries that do not carry the hash of the one before them."""
    last = max(entries, default=0)
    last_intact = max((number for number, entry in entries.items() if entry.intact), default=0)
    highest = 0
    for number, entry in sorted(entries.items()):
        first = number - entry.skipped
        # An entry that is not a record does not show how many should precede it.
        if first > highest + 1 and number <= last_intact:
            missing = (
                f"record {first - 1} was" if first == highest + 2 else f"records {highest + 1} to {first - 1} were"
            )
            where = f"between {entries[highest].named()} and" if highest else "before"
            planted = number == last_intact and highest > 0
            either = f"; or {entry.where} was inserted from another ledger" if planted else ""
            found.fault(f"{missing} removed, {where} {entry.named()}{either}", *([entry] if planted else []))
        highest = number
        if not entry.intact:
            continue
        if first == 1 and entry.previous != NOTHING:
            found.fault(f"{entry.named()} was changed: records before it are missing", entry)
        before = entries.get(first - 1)
        if before is not None and before.intact and entry.previous != before.hash:
            text = f"{before.named()} was changed and its hash recomputed: {entry.where} does not carry it"
            if number == last:  # nothing shows that the later one belongs to this ledger
                text += f"; or {entry.where} was inserted"
            found.fault(text, before, *([entry] if number == last else []))

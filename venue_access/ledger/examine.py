"""Examine the entries of a ledger: what was changed, removed, moved or put there, and which records are in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from venue_access.errors import printable
from venue_access.ledger.chain import NOTHING, Entry


@dataclass
class Examination:
    """What is wrong with a chain, in words that name each place; nothing where it is whole."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Damage of which only the record is left: what an administrator has removed since."""
    doubted: set[str] = field(default_factory=set)
    """The places of entries whose records may be forged."""

    def fault(self, text: str, *doubted: Entry) -> None:
        """Add a fault, with the entries on which it casts doubt."""
        if text not in self.faults:
            self.faults.append(text)
        self.doubted.update(entry.where for entry in doubted)


def examine(entries: Sequence[Entry], *, head: str | None = None) -> Examination:
    """Examine the entries of a ledger, in the order in which they stand.

    :param head: a hash that was the head once: the entry that has it must still be there.
    """
    found = Examination()
    passed_over = _passed_over(entries, found)
    linked = [entry for place, entry in enumerate(entries) if place not in passed_over]
    for entry in linked:
        if not entry.intact:
            found.fault(f"{entry.named()} {_broken(entry)}", entry)
    by_number = _in_order(linked, found)
    _find_gaps(by_number, found)
    _find_broken_links(by_number, found)
    if head is not None and head not in {NOTHING, *(entry.hash for entry in entries)}:
        last = f"the last is {entries[-1].named()}" if entries else "it is empty"
        found.fault(f"the record with the head {head} is not there: the end was cut off or rewritten; {last}")
    return found


def _passed_over(entries: Sequence[Entry], found: Examination) -> set[int]:
    """Return the places of the entries that a later one says it goes on after, each a fault."""
    passed: set[int] = set()
    for place, entry in enumerate(entries):
        if not entry.intact or not entry.skipped:
            continue
        behind = _behind_head(entries, place)
        before = entries[behind[0] - 1] if behind and behind[0] else None
        if behind and entries[behind[0]].follows(before):
            sound = entries[behind[0]].where
            found.fault(f"{entry.named()} says that it goes on after damage, but {sound} is sound", entry)
            passed.add(place)
            continue
        passed.update(behind)
        for other in (entries[each] for each in behind):
            seen = "" if _names(entry, other) else ", and it was changed or put there since"
            what = "is not linked to the record before it" if other.intact else _broken(other)
            found.fault(f"{other.named()} {what}: {entry.named()} goes on after it{seen}", other)
            if before is not None and other.intact and before.number == other.after:
                text = f"{before.named()} was changed, or {other.where} was put there, which does not carry its hash"
                found.fault(text)
        if not behind:
            told = ", ".join(printable(str(each)) for each in entry.document.get("found", []))
            found.notes.append(f"{entry.named()} goes on after damage that is gone now: {told}")
    return passed


def _broken(entry: Entry) -> str:
    return "was changed" if entry.document else "is not a record"


def _behind_head(entries: Sequence[Entry], place: int) -> range:
    """Return the places between the entry at ``place`` and the one that it is linked to."""
    entry = entries[place]
    lowest = max(0, place - entry.skipped)
    first = place
    while first > lowest:
        other = entries[first - 1]
        if other.intact and other.hash == entry.previous:
            break
        first -= 1
    return range(first, place)


def _names(entry: Entry, other: Entry) -> bool:
    """Whether an entry names what it goes on after as it is now; it names the first of many only."""
    names = entry.document.get("found", [])
    return other.fingerprint in names or len(names) < entry.skipped


def _in_order(entries: Iterable[Entry], found: Examination) -> dict[int, Entry]:
    """Return the entries by number; one that repeats a number, or stands behind a later one, is a fault."""
    carried = {entry.previous for entry in entries if entry.intact}
    first: dict[int, Entry] = {}
    highest: Entry | None = None
    for entry in entries:
        other = first.setdefault(entry.number, entry)
        if other is not entry:
            if entry.hash in carried and other.hash not in carried:  # the one before it is the intruder
                first[entry.number], entry, other = entry, other, entry
            found.fault(f"{entry.named()} repeats the number of {other.where}", entry)
        elif highest is not None and entry.number < highest.number:
            found.fault(f"{entry.named()} was moved: it stands after record {highest.number}", entry)
        if highest is None or entry.number > highest.number:
            highest = entry
    return first


def _find_gaps(entries: dict[int, Entry], found: Examination) -> None:
    before = 0
    last = max((number for number, entry in entries.items() if entry.intact), default=0)
    for number in sorted(entries):
        entry = entries[number]
        # What is no record says nothing of how many should stand before it.
        if number - entry.skipped > before + 1 and number <= last:
            until = number - entry.skipped - 1
            missing = f"record {before + 1}" if until == before + 1 else f"records {before + 1} to {until}"
            verb = "was" if until == before + 1 else "were"
            where = f"between {entries[before].named()} and" if before else "before"
            planted = number == last and before > 0
            either = f"; or {entry.where} was put there and is not of this ledger" if planted else ""
            found.fault(f"{missing} {verb} removed, {where} {entry.named()}{either}", *([entry] if planted else []))
        before = number


def _find_broken_links(entries: dict[int, Entry], found: Examination) -> None:
    last = max(entries, default=0)
    for number, entry in sorted(entries.items()):
        if not entry.intact:
            continue
        first = number - entry.skipped
        if first == 1 and entry.previous != NOTHING:
            found.fault(f"{entry.named()} was changed: something stood before it", entry)
        before = entries.get(first - 1)
        if before is not None and before.intact and entry.previous != before.hash:
            text = f"{before.named()} was changed, and its hash made to fit: {entry.where} does not carry it"
            if number == last:  # nothing shows that the later one is of this ledger
                text += f"; or {entry.where} was put there"
            found.fault(text, before, *([entry] if number == last else []))

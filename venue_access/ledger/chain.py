"""The chain of a ledger's entries: each has a number and carries the hash of the one before it.

    {"number": 2, "previous": <hash of entry 1>, "hash": <hash of this entry without this key>, ...the record}

A record that was changed no longer has its own hash; one whose hash was made to fit no longer has the one that the next
carries; one that is gone leaves its number. Only what was cut off at the end leaves no trace in the ledger itself: for
that its head is written down elsewhere.

Damage at the end stops nobody. The next entry is linked to the last sound one, and says what it goes on after:

    {"number": 5, "previous": <hash of entry 3>, "skipped": 1, "found": ["line 4 sha256:<of its text>"], ...}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.errors import printable
from venue_access.ledger.record import Record, canonical

NOTHING = "0" * 64
"""The head of an empty ledger, which the first entry carries."""
_MOST_FOUND = 16


@dataclass(frozen=True)
class Head:
    """The end of a chain: the number and hash of its last entry."""

    number: int = 0
    hash: str = NOTHING


@dataclass(frozen=True)
class Line:
    """The text of an entry, and where it stands: ``line 3``, or the name of an object."""

    where: str
    text: str
    number: int | None = None
    """The number that its place gives it: an object's name does."""


@dataclass(frozen=True)
class Entry:
    """An entry as it was read."""

    where: str
    number: int
    previous: str
    hash: str
    document: dict[str, Any]
    intact: bool
    """Whether its hash is its own."""
    fingerprint: str = ""
    """``line 4 sha256:...``: its place and the hash of its whole text."""

    @property
    def skipped(self) -> int:
        """How many numbers before its own are damage that it goes on after."""
        return int(self.document.get("skipped", 0))

    @property
    def after(self) -> int:
        """The number of the entry that it is linked to; 0 for the first."""
        return self.number - self.skipped - 1

    def named(self) -> str:
        """Where it stands, when it was written and by whom, on one line whatever it says."""
        when, operator = self.document.get("when"), self.document.get("operator")
        told = [
            printable(str(each))
            for each in (self.document.get("kind"), when, f"by {operator}" if operator else None)
            if each
        ]
        return f"{self.where} (record {self.number}: {', '.join(told)})" if told else f"{self.where}"

    def record(self) -> Record | None:
        """The record in it; None where it can't be read."""
        try:
            return Record.of(self.document)
        except ValueError:
            return None

    def follows(self, before: Entry | None) -> bool:
        """Return whether nothing speaks against this being linked to ``before``, which may itself be damaged."""
        if not self.intact:
            return False
        if before is None:
            return self.after == 0 and self.previous == NOTHING
        return before.number == self.after and (not before.intact or before.hash == self.previous)


@dataclass(frozen=True)
class End:
    """Where a chain ends: what the next entry is linked to."""

    head: Head = Head()
    damaged: tuple[Entry, ...] = ()
    """What was found there that is damaged, or is not linked to the head; the next entry names it."""
    skipped: int = 0
    """How many numbers after the head's are taken by it."""
    apart: tuple[Entry, ...] = ()
    """What has numbers further on and is in nobody's way."""

    @classmethod
    def after(cls, entry: Entry, before: Entry | None = None, behind: Sequence[Entry] = ()) -> End:
        """Return the end with ``entry`` as its head.

        :param before: what that is linked to; where it was changed, the next entry says so.
        :param behind: what takes the numbers after it.
        """
        is_changed = before is not None and not before.intact and before.number == entry.after
        changed = (before,) if before is not None and is_changed else ()
        return cls(Head(entry.number, entry.hash), (*changed, *behind), len(behind))


def link(record: Record, end: End | Head) -> tuple[str, Head]:
    """The text of the entry that follows ``end``, and the head that it makes."""
    end = End(end) if isinstance(end, Head) else end
    number = end.head.number + end.skipped + 1
    document: dict[str, Any] = {**record.document(), "number": number, "previous": end.head.hash}
    if end.skipped:
        document["skipped"] = end.skipped
    if end.damaged:
        document["found"] = [entry.fingerprint for entry in end.damaged[:_MOST_FOUND]]
    own = _hash(document)
    return canonical({**document, "hash": own}), Head(number, own)


def end_of(entries: Sequence[Entry]) -> End:
    """Return the end of a chain whose last entries, or all, these are.

    Its head is the last entry that is linked to one before it. What stands behind that is damaged or foreign.
    """
    by_hash = {entry.hash: place for place, entry in enumerate(entries) if entry.intact}
    for place in range(len(entries) - 1, -1, -1):
        entry = entries[place]
        nearest = place - 1 if entry.previous != NOTHING else place - 1 - entry.skipped
        found = by_hash.get(entry.previous, max(nearest, -1))
        before = entries[found] if found >= 0 else None
        skipped = entries[found + 1] if entry.skipped and found + 1 < place else None
        if is_linked(entry, before, skipped):
            return End.after(entry, before, entries[place + 1 :])
    return End(Head(), tuple(entries), len(entries))


def is_linked(entry: Entry, before: Entry | None, skipped: Entry | None) -> bool:
    """Return whether an entry can be the head of a chain.

    :param before: the entry that it names, by the number; None where there is none.
    :param skipped: the first of those that it says it goes on after, which may not be sound.
    """
    disowns = skipped is not None and skipped.follows(before)
    return entry.follows(before) and not disowns


def read(line: Line, after: int) -> Entry:
    """An entry from its text; what is no entry counts as a changed one, with the number after ``after``."""
    fingerprint = f"{line.where} sha256:{hashlib.sha256(line.text.encode(errors='surrogatepass')).hexdigest()}"
    try:
        document = json.loads(line.text)
        own, number, previous = document["hash"], document["number"], document["previous"]
        skipped = document.get("skipped", 0)
        sound = isinstance(own, str) and isinstance(previous, str) and type(number) is int and type(skipped) is int
        if sound and 0 <= skipped < number and line.number in (None, number):
            rest = {key: value for key, value in document.items() if key != "hash"}
            # The text too must be the one that the document has: a key given twice would hide there.
            intact = line.text == canonical(document) and own == _hash(rest)
            return Entry(line.where, number, previous, own, document, intact, fingerprint)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return Entry(line.where, line.number or after + 1, "", "", {}, intact=False, fingerprint=fingerprint)


def read_all(lines: Sequence[Line]) -> list[Entry]:
    """The entries of a ledger, in the order in which they stand."""
    entries: list[Entry] = []
    for line in lines:
        entries.append(read(line, entries[-1].number if entries else 0))
    return entries


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(document).encode("ascii")).hexdigest()

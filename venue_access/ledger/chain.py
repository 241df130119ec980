"""The chain of a ledger's entries: each has a number and carries the hash of the one before it.

    {"number": 2, "previous": <hash of entry 1>, "hash": <hash of this entry without this key>, ...the record}

A record that was changed no longer has its own hash; one whose hash was made to fit no longer has the one that the next
carries; one that is gone leaves its number. Only what was cut off at the end leaves no trace in the ledger itself: for
that its head is written down elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.ledger.record import Record, canonical

NOTHING = "0" * 64
"""The head of an empty ledger, which the first entry carries."""


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

    def named(self) -> str:
        """Where it stands, when it was written and by whom."""
        when, operator = self.document.get("when"), self.document.get("operator")
        told = [str(each) for each in (self.document.get("kind"), when, f"by {operator}" if operator else None) if each]
        return f"{self.where} (record {self.number}: {', '.join(told)})" if told else f"{self.where}"

    def record(self) -> Record | None:
        """The record in it; None where it can't be read."""
        try:
            return Record.of(self.document)
        except ValueError:
            return None


def link(record: Record, head: Head) -> tuple[str, Head]:
    """The text of the entry that follows ``head``, and the head that it makes."""
    document = {**record.document(), "number": head.number + 1, "previous": head.hash}
    own = _hash(document)
    return canonical({**document, "hash": own}), Head(head.number + 1, own)


def head_of(text: str | None) -> Head:
    """The head of a chain whose last entry is this.

    :raises ValueError: it is no entry, or was changed.
    """
    if text is None:
        return Head()
    entry = read(Line("its last line", text), 0)
    if not entry.intact:
        raise ValueError("its last record was changed, or is none")
    return Head(entry.number, entry.hash)


def read(line: Line, after: int) -> Entry:
    """An entry from its text; what is no entry counts as a changed one, with the number after ``after``."""
    try:
        document = json.loads(line.text)
        own, number, previous = document["hash"], document["number"], document["previous"]
        if isinstance(own, str) and type(number) is int and isinstance(previous, str):
            rest = {key: value for key, value in document.items() if key != "hash"}
            # The text too must be the one that the document has: a key given twice would hide there.
            intact = line.text == canonical(document) and own == _hash(rest)
            return Entry(line.where, number, previous, own, document, intact)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return Entry(line.where, after + 1, "", "", {}, intact=False)


def read_all(lines: Sequence[Line]) -> list[Entry]:
    """The entries of a ledger, in the order in which they stand."""
    entries: list[Entry] = []
    for line in lines:
        entries.append(read(line, entries[-1].number if entries else 0))
    return entries


def faults(entries: Sequence[Entry], *, head: str | None = None) -> list[str]:
    """What is wrong with a chain, in words that name each place; nothing where it is whole.

    :param head: a hash that was the head once: the entry that has it must still be there.
    """
    found = [f"{entry.named()} was changed" for entry in entries if not entry.intact]
    first: dict[int, Entry] = {}
    highest: Entry | None = None
    for entry in entries:
        other = first.setdefault(entry.number, entry)
        if other is not entry:
            found.append(f"{entry.named()} repeats the number of {other.where}")
        elif highest is not None and entry.number < highest.number:
            found.append(f"{entry.named()} was moved: it stands after record {highest.number}")
        if highest is None or entry.number > highest.number:
            highest = entry
    found += _gaps(first)
    found += _broken_links(first)
    if head is not None and head not in {NOTHING, *(entry.hash for entry in entries)}:
        last = f"the last is {entries[-1].named()}" if entries else "it is empty"
        found.append(f"the record with the head {head} is not there: the end was cut off or rewritten; {last}")
    return list(dict.fromkeys(found))


def _gaps(entries: dict[int, Entry]) -> Iterator[str]:
    before = 0
    for number in sorted(entries):
        if number > before + 1:
            missing = f"record {before + 1}" if number == before + 2 else f"records {before + 1} to {number - 1}"
            verb = "was" if number == before + 2 else "were"
            where = f"between {entries[before].named()} and" if before else "before"
            yield f"{missing} {verb} removed, {where} {entries[number].named()}"
        before = number


def _broken_links(entries: dict[int, Entry]) -> Iterator[str]:
    for number, entry in sorted(entries.items()):
        if not entry.intact:
            continue
        if number == 1 and entry.previous != NOTHING:
            yield f"{entry.named()} was changed: something stood before it"
        before = entries.get(number - 1)
        if before is not None and before.intact and entry.previous != before.hash:
            yield f"{before.named()} was changed, and its hash made to fit: {entry.where} does not carry it"


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(document).encode("ascii")).hexdigest()

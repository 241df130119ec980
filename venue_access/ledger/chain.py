"""The hash chain of a ledger: each entry has a number and carries the hash of the previous entry.

    {"number": 2, "previous": <hash of entry 1>, "hash": <hash of this entry without this key>, ...the record}

A changed record does not match its own hash; if that hash is recomputed, it does not match the one that the next entry
carries; a removed record leaves a gap in the numbers. Only a truncated end leaves no trace: to find that, store the
ledger's head elsewhere.

Damage at the end does not block the ledger. The next entry is linked to the last intact one, and names what it skips:

    {"number": 5, "previous": <hash of entry 3>, "skipped": 1, "found": ["line 4 sha256:<of its text>"], ...}
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from venue_access.errors import printable
from venue_access.times import iso, parse_iso


class Kind(enum.Enum):
    """The kind of a record."""

    START = "start"
    """The first record of a ledger in S3; it shows that records can be written."""
    ISSUE = "issue"
    REFUSAL = "refusal"
    """AWS refused a token."""
    DELIVERY = "delivery"
    """An issued token was delivered to its recipient, or written to their file."""
    EXTERNAL_ID = "external-id"
    """An external ID was sent to a requester."""
    REVOCATION = "revocation"
    ROTATION = "rotation"
    PROOF = "proof"
    """One run of the kit assumed the role to verify it; nobody received these sessions."""


@dataclass(frozen=True)
class Record:
    """One event at a venue; fields that do not apply are None."""

    kind: Kind
    when: datetime
    """UTC."""
    operator: str
    """The caller's ARN; ``access key ASIA...`` if AWS did not return one."""
    operator_access_key_id: str
    """Identifies the operator's session in CloudTrail."""
    venue: str
    role_arn: str
    recipient: str | None = None
    role_session_name: str | None = None
    access_key_id: str | None = None
    """The token's."""
    expires: datetime | None = None
    """When the token or the revocation expires; UTC."""
    scope: str | None = None
    """A summary of the token's scope."""
    reason: str | None = None
    delivery: str | None = None
    """``printed``, ``file``, ``age``, ``age-passphrase``, ``smime``, ``console``: the delivery method."""
    key_fingerprints: tuple[str, ...] = ()
    """The recipient keys that it was encrypted to."""
    parameter_version: int | None = None
    """The SSM parameter's version when an external ID was sent: a later version has another ID."""
    error: str | None = None
    """AWS's error code of a refusal."""
    policy: str | None = None
    """The inline policy of a revocation."""
    revokes: str | None = None
    """What was revoked: ``session``, ``user`` or ``all``; ``undo`` if a revocation was undone."""
    issued_before: datetime | None = None
    """Tokens issued before this time are revoked; UTC."""
    stage: str | None = None
    """The state in which a rotation ended."""
    command: str | None = None
    """The command that ran the proof."""
    proof_session_names: tuple[str, ...] = ()
    """The role session name of each proof session."""
    proof_access_key_ids: tuple[str, ...] = ()
    """Their access key IDs, in the same order."""

    def document(self) -> dict[str, Any]:
        """Return the record as a JSON document; keys that few kinds have are left out unless set."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, datetime):
                found[name] = iso(value)
            elif isinstance(value, enum.Enum):
                found[name] = value.value
            elif value not in (None, ()) or name not in _OPTIONAL:
                found[name] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Record:
        """Parse a record that ``document()`` returned; keys of a later version are ignored.

        :raises ValueError: it is malformed.
        """
        types = {each.name: str(each.type) for each in fields(cls) if each.name in document}
        try:
            return cls(**{name: _parsed(kind, document[name]) for name, kind in types.items()})
        except (TypeError, ValueError) as error:
            raise ValueError(f"invalid record: {error}") from error


_OPTIONAL = {
    *("parameter_version", "error", "policy", "revokes", "issued_before", "stage", "command"),
    *("proof_session_names", "proof_access_key_ids"),
}


def _parsed(annotation: str, value: Any) -> Any:
    """Return the value of a field of ``Record`` from its JSON: the ledger is untrusted input."""
    kind, _, optional = annotation.partition(" | ")
    if value is None and optional:
        return None
    if kind == "Kind":
        return Kind(value)
    if kind == "datetime":
        return parse_iso(value)
    if kind in ("str", "int") and isinstance(value, str if kind == "str" else int):
        return value
    if kind.startswith("tuple") and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError(f"{value!r} is not {annotation}")


def canonical(document: Mapping[str, Any]) -> str:
    """Return the canonical text of a JSON document: sorted keys, no spaces, ASCII, no line break.

    :raises TypeError: it contains a value that JSON lacks, such as a ``SensitiveStr``.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


NOTHING = "0" * 64
"""The hash that the first entry of a ledger carries."""
_MOST_FOUND = 16


@dataclass(frozen=True)
class Line:
    """The text of an entry with its place: ``line 3``, or an object's name."""

    where: str
    text: str
    number: int | None = None
    """The number in an object's name."""


@dataclass(frozen=True)
class Entry:
    """A parsed entry."""

    where: str
    number: int
    previous: str
    hash: str
    document: dict[str, Any]
    intact: bool
    """Whether its hash matches its content."""
    fingerprint: str = ""
    """``line 4 sha256:...``: its place and the hash of its text."""

    @property
    def skipped(self) -> int:
        """Return how many numbers of damaged entries it skips."""
        return int(self.document.get("skipped", 0))

    @property
    def after(self) -> int:
        """Return the number of the entry that it is linked to; 0 for the first entry."""
        return self.number - self.skipped - 1

    def named(self) -> str:
        """Return its place, time and operator for a message, without control characters."""
        by = f"by {self.document['operator']}" if self.document.get("operator") else None
        details = [printable(str(each)) for each in (self.document.get("kind"), self.document.get("when"), by) if each]
        return f"{self.where} (record {self.number}: {', '.join(details)})" if details else self.where

    def record(self) -> Record | None:
        """Return its record; None if it is malformed or of a later version."""
        try:
            return Record.of(self.document)
        except ValueError:
            return None

    def follows(self, before: Entry | None) -> bool:
        """Return whether it can be linked to ``before``, which may itself be damaged."""
        if not self.intact:
            return False
        if before is None:
            return self.after == 0 and self.previous == NOTHING
        return before.number == self.after and (not before.intact or before.hash == self.previous)


@dataclass(frozen=True)
class End:
    """The end of a chain, which the next entry is linked to: its head is the last entry that is linked to the chain."""

    number: int = 0
    """Of the head."""
    hash: str = NOTHING
    damaged: tuple[Entry, ...] = ()
    """Entries after the head that are damaged or not linked to it; the next entry names them."""
    skipped: int = 0
    """How many numbers after the head's the damage takes."""
    apart: tuple[Entry, ...] = ()
    """Entries with higher numbers, which do not block the next entry."""

    @classmethod
    def after(cls, entry: Entry, before: Entry | None = None, behind: Sequence[Entry] = ()) -> End:
        """Return the end with ``entry`` as its head.

        :param before: the entry that it is linked to; if that was changed, the next entry names it.
        :param behind: the entries that take the numbers after it.
        """
        changed = [before] if before is not None and not before.intact and before.number == entry.after else []
        return cls(entry.number, entry.hash, (*changed, *behind), len(behind))


def link(record: Record, end: End) -> tuple[str, End]:
    """Return the text of the entry that follows ``end``, and the new end."""
    number = end.number + end.skipped + 1
    document: dict[str, Any] = {**record.document(), "number": number, "previous": end.hash}
    if end.skipped:
        document["skipped"] = end.skipped
    if end.damaged:
        document["found"] = [entry.fingerprint for entry in end.damaged[:_MOST_FOUND]]
    own = _hash(document)
    return canonical({**document, "hash": own}), End(number, own)


def end_of(entries: Sequence[Entry]) -> End:
    """Return the end of a chain.

    :param entries: its last entries, or all.
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
    return End(damaged=tuple(entries), skipped=len(entries))


def is_linked(entry: Entry, before: Entry | None, skipped: Entry | None) -> bool:
    """Return whether an entry can be the head of a chain.

    :param before: the entry with the number that it is linked to, if there is one.
    :param skipped: the first entry that it claims to skip; it must not be intact.
    """
    return entry.follows(before) and not (skipped is not None and skipped.follows(before))


def read(line: Line, after: int) -> Entry:
    """Parse an entry; malformed text becomes a changed entry with the number after ``after``."""
    fingerprint = f"{line.where} sha256:{hashlib.sha256(line.text.encode(errors='surrogatepass')).hexdigest()}"
    try:
        document = json.loads(line.text)
        own, number, previous = document["hash"], document["number"], document["previous"]
        skipped, found = document.get("skipped", 0), document.get("found", [])
        valid = all(isinstance(each, str) for each in (own, previous)) and isinstance(found, list)
        valid = valid and type(number) is int and type(skipped) is int
        if valid and 0 <= skipped < number and line.number in (None, number):
            rest = {key: value for key, value in document.items() if key != "hash"}
            # The text must be canonical as well: a duplicate key would be invisible in the document.
            intact = line.text == canonical(document) and own == _hash(rest)
            return Entry(line.where, number, previous, own, document, intact, fingerprint)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return Entry(line.where, line.number or after + 1, "", "", {}, intact=False, fingerprint=fingerprint)


def read_all(lines: Sequence[Line]) -> list[Entry]:
    """Parse the entries of a ledger in their order."""
    entries: list[Entry] = []
    for line in lines:
        entries.append(read(line, entries[-1].number if entries else 0))
    return entries


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(document).encode("ascii")).hexdigest()

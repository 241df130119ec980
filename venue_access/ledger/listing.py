"""What a ledger says of the tokens that were issued: which are live, expired or revoked, and a table of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.errors import UsageError, printable
from venue_access.ledger.record import Kind, Record
from venue_access.times import iso, parse_duration

UNDO = "undo"


@dataclass(frozen=True)
class ListedToken:
    """A token that was issued, and what the ledger knows of it since."""

    record: Record
    state: str
    """``live``, ``expired``, ``revoked``; ``unverified`` where its record may be forged."""
    delivered: datetime | None
    """When it reached its recipient, where that is a step of its own; UTC."""

    def document(self) -> dict[str, Any]:
        """For ``--json``: the record, with these."""
        delivered = None if self.delivered is None else iso(self.delivered)
        return {**self.record.document(), "state": self.state, "delivered": delivered}

    def cells(self) -> tuple[str, ...]:
        """The row of the table, as ``HEADINGS`` has it; a forged record cannot add another row."""
        record = self.record
        cells = (
            f"{record.when:%Y-%m-%d %H:%M}",
            "" if record.expires is None else f"{record.expires:%Y-%m-%d %H:%M}",
            self.state,
            record.venue,
            record.recipient or (f"(proof: {record.command})" if record.kind is Kind.PROOF else ""),
            record.role_session_name or "",
            record.delivery or "",
            record.operator.rpartition(":")[2],
        )
        return tuple(printable(str(cell)) for cell in cells)


HEADINGS = ("ISSUED (UTC)", "EXPIRES (UTC)", "STATE", "VENUE", "RECIPIENT", "SESSION", "DELIVERY", "OPERATOR")


def listed(
    records: Iterable[Record],
    now: datetime,
    *,
    doubted: Iterable[Record] = (),
    proofs: bool = False,
    live: bool = False,
    recipients: Collection[str] | None = None,
    venue: str | None = None,
    since: datetime | None = None,
) -> list[ListedToken]:
    """The tokens that were issued, the oldest first.

    :param doubted: records that may be forged: what they say of tokens is shown, and not relied on.
    :param proofs: list the sessions of the kit's own proofs too.
    :param live: only those that are neither expired nor, as far as the ledger knows, revoked.
    :param recipients: only theirs.
    :param since: only those issued then or later.
    """
    every = sorted(records, key=lambda record: record.when)
    revocations = in_effect(every)
    delivered = {record.role_session_name: record.when for record in every if record.kind is Kind.DELIVERY}
    found = []
    for record, is_doubted in _tokens(every, doubted, proofs):
        wanted = (
            (recipients is None or record.recipient in recipients)
            and (venue is None or record.venue == venue)
            and (since is None or record.when >= since)
        )
        if not wanted:
            continue
        if is_doubted:
            state = "unverified"
        elif record.expires is not None and record.expires <= now:
            state = "expired"
        else:
            state = "revoked" if any(_revokes(each, record) for each in revocations) else "live"
        if state in ("live", "unverified") or not live:
            found.append(ListedToken(record, state, delivered.get(record.role_session_name)))
    return found


def _tokens(records: Iterable[Record], doubted: Iterable[Record], proofs: bool) -> list[tuple[Record, bool]]:
    """Return the records of tokens with whether each is doubted, in the order of time; of a proof one a session."""
    found = []
    for record, is_doubted in [*((each, False) for each in records), *((each, True) for each in doubted)]:
        if record.kind is Kind.ISSUE:
            found.append((record, is_doubted))
        elif record.kind is Kind.PROOF and proofs:
            names = dict.fromkeys(record.proof_session_names)
            found += [(replace(record, role_session_name=name), is_doubted) for name in names]
    return sorted(found, key=lambda each: each[0].when)


def table(tokens: Sequence[ListedToken]) -> list[str]:
    """The lines of a table, its headings first."""
    rows = [HEADINGS, *(token.cells() for token in tokens)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def since(text: str, now: datetime) -> datetime:
    """The time that ``--since`` means: ``7d``, ``12h`` or ``30m`` ago, or a day in UTC, ``2026-11-20``.

    :raises UsageError: it is none of these.
    """
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    try:
        ago = parse_duration("" if text.isdecimal() else text, "--since")  # a bare number is rather a year than seconds
    except UsageError as error:
        message = f"--since {text!r} is neither a duration nor a day"
        raise UsageError(message, hint="write 7d, 12h, 30m, 2026-11-20 or 2026-11-20T22:15:00Z") from error
    try:
        return now - timedelta(seconds=ago)
    except OverflowError:
        return datetime.min.replace(tzinfo=timezone.utc)


def in_effect(records: Iterable[Record]) -> list[Record]:
    """The revocations that were not undone since."""
    found: dict[str | None, Record] = {}
    for record in records:
        if record.kind is Kind.REVOCATION:
            if record.revokes == UNDO:
                found.pop(record.policy, None)
            else:
                found[record.policy] = record
    return list(found.values())


def _revokes(revocation: Record, token: Record) -> bool:
    if revocation.role_arn != token.role_arn:
        return False
    if revocation.revokes == "session":
        return revocation.role_session_name == token.role_session_name
    before = revocation.issued_before
    of_them = revocation.revokes == "all" or revocation.recipient == token.recipient
    return of_them and before is not None and token.when < before

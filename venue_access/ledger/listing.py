"""What a ledger says of the tokens that were issued: which are live, expired or revoked, and a table of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.errors import RequestError
from venue_access.ledger.record import Kind, Record

UNDO = "undo"
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True)
class ListedToken:
    """A token that was issued, and what the ledger knows of it since."""

    record: Record
    state: str
    """``live``, ``expired`` or ``revoked``."""
    delivered: datetime | None
    """When it reached its recipient, where that is a step of its own; UTC."""

    def document(self) -> dict[str, Any]:
        """For ``--json``: the record, with these."""
        delivered = None if self.delivered is None else f"{self.delivered:%Y-%m-%dT%H:%M:%SZ}"
        return {**self.record.document(), "state": self.state, "delivered": delivered}

    def cells(self) -> tuple[str, ...]:
        """The row of the table, as ``HEADINGS`` has it."""
        record = self.record
        return (
            f"{record.when:%Y-%m-%d %H:%M}",
            "" if record.expires is None else f"{record.expires:%Y-%m-%d %H:%M}",
            self.state,
            record.venue,
            record.recipient or "",
            record.role_session_name or "",
            record.delivery or "",
            record.operator.rpartition(":")[2],
        )


HEADINGS = ("ISSUED (UTC)", "EXPIRES (UTC)", "STATE", "VENUE", "RECIPIENT", "SESSION", "DELIVERY", "OPERATOR")


def listed(
    records: Iterable[Record],
    now: datetime,
    *,
    live: bool = False,
    recipients: Collection[str] | None = None,
    venue: str | None = None,
    since: datetime | None = None,
) -> list[ListedToken]:
    """The tokens that were issued, the oldest first.

    :param live: only those that are neither expired nor, as far as the ledger knows, revoked.
    :param recipients: only theirs.
    :param since: only those issued then or later.
    """
    every = sorted(records, key=lambda record: record.when)
    revocations = in_effect(every)
    delivered = {record.role_session_name: record.when for record in every if record.kind is Kind.DELIVERY}
    found = []
    for record in every:
        wanted = (
            record.kind is Kind.ISSUE
            and (recipients is None or record.recipient in recipients)
            and (venue is None or record.venue == venue)
            and (since is None or record.when >= since)
        )
        if not wanted:
            continue
        state = "expired" if record.expires is not None and record.expires <= now else "live"
        if state == "live" and any(_revokes(each, record) for each in revocations):
            state = "revoked"
        if state == "live" or not live:
            found.append(ListedToken(record, state, delivered.get(record.role_session_name)))
    return found


def table(tokens: Sequence[ListedToken]) -> list[str]:
    """The lines of a table, its headings first."""
    rows = [HEADINGS, *(token.cells() for token in tokens)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def since(text: str, now: datetime) -> datetime:
    """The time that ``--since`` means: ``7d``, ``12h`` or ``30m`` ago, or a day in UTC, ``2026-11-20``.

    :raises RequestError: it is none of these.
    """
    ago = re.fullmatch(r"(\d{1,5})([dhm])", text, re.ASCII)
    if ago:
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            return datetime.min.replace(tzinfo=timezone.utc)
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    raise RequestError(f"--since {text!r} is no time", hint="write 7d, 12h, 30m, 2026-11-20 or 2026-11-20T22:15:00Z")


def in_effect(records: Iterable[Record]) -> list[Record]:
    """The revocations that were not undone since."""
    found: dict[str | None, Record] = {}
    for record in records:
        if record.kind is Kind.REVOCATION:
            if record.scope == UNDO:
                found.pop(record.policy, None)
            else:
                found[record.policy] = record
    return list(found.values())


def _revokes(revocation: Record, token: Record) -> bool:
    if revocation.role_arn != token.role_arn:
        return False
    if revocation.scope == "session":
        return revocation.role_session_name == token.role_session_name
    before = revocation.issued_before
    of_them = revocation.scope == "all" or revocation.recipient == token.recipient
    return of_them and before is not None and token.when < before

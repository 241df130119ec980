"""List the tokens in a ledger's records: live, expired or revoked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.errors import UsageError, printable
from venue_access.ledger.chain import Kind, Record
from venue_access.times import iso, parse_duration

UNDO = "undo"


@dataclass(frozen=True)
class ListedToken:
    """An issued token with its state."""

    record: Record
    state: str
    """``live``, ``expired`` or ``revoked``; ``unverified`` if its record may be forged."""
    delivered: datetime | None
    """When it was delivered, if delivery is a separate step; UTC."""

    def document(self) -> dict[str, Any]:
        """Return the record with the state and the delivery time, for ``--json``."""
        delivered = self.delivered and iso(self.delivered)
        return {**self.record.document(), "state": self.state, "delivered": delivered}

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table; control characters are escaped, so a forged record cannot add a row."""
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
    unverified: Iterable[Record] = (),
    proofs: bool = False,
    live: bool = False,
    recipients: Collection[str] | None = None,
    venue: str | None = None,
    since: datetime | None = None,
) -> list[ListedToken]:
    """Return the issued tokens, oldest first.

    :param unverified: records that may be forged: they are listed, and change no other token's state.
    :param proofs: include the kit's own proof sessions.
    :param live: only tokens that are neither expired nor revoked.
    :param recipients: only tokens of these recipients.
    :param since: only tokens issued at this time or later.
    """
    every = sorted(records, key=lambda record: record.when)
    revocations = in_effect(every)
    delivered = {record.role_session_name: record.when for record in every if record.kind is Kind.DELIVERY}
    tokens = [(each, False) for each in _tokens(every, proofs)] + [(each, True) for each in _tokens(unverified, proofs)]
    found = []
    for record, is_unverified in sorted(tokens, key=lambda each: each[0].when):
        if (
            (recipients is not None and record.recipient not in recipients)
            or (venue is not None and record.venue != venue)
            or (since is not None and record.when < since)
        ):
            continue
        if is_unverified:
            state = "unverified"
        elif record.expires is not None and record.expires <= now:
            state = "expired"
        else:
            state = "revoked" if any(_revokes(each, record) for each in revocations) else "live"
        if state in ("live", "unverified") or not live:
            found.append(ListedToken(record, state, delivered.get(record.role_session_name)))
    return found


def _tokens(records: Iterable[Record], proofs: bool) -> Iterator[Record]:
    """Yield the records of tokens; a proof has one for each session."""
    for record in records:
        if record.kind is Kind.ISSUE:
            yield record
        elif record.kind is Kind.PROOF and proofs:
            yield from (replace(record, role_session_name=name) for name in dict.fromkeys(record.proof_session_names))


def table(tokens: Sequence[ListedToken]) -> list[str]:
    """Return the lines of a table, headings first."""
    rows = [HEADINGS, *(token.cells() for token in tokens)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def since(text: str, now: datetime) -> datetime:
    """Parse ``--since``: a duration before now (``7d``, ``12h``, ``30m``), or a day in UTC (``2026-11-20``).

    :raises UsageError: it is neither.
    """
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    try:
        ago = parse_duration("" if text.isdecimal() else text, "--since")  # a bare number may be a year
    except UsageError as error:
        message = f"--since {text!r} is neither a duration nor a day"
        raise UsageError(message, hint="use 7d, 12h, 30m, 2026-11-20 or 2026-11-20T22:15:00Z") from error
    try:
        return now - timedelta(seconds=ago)
    except OverflowError:
        return datetime.min.replace(tzinfo=timezone.utc)


def in_effect(records: Iterable[Record]) -> list[Record]:
    """Return the revocations that have not been undone."""
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

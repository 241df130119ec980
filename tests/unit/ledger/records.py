"""Records to test with: a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.ledger.chain import End, Kind, Line, Record, link

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
ISSUE = Record(
    kind=Kind.ISSUE,
    when=NOON,
    operator="arn:aws:sts::111122223333:assumed-role/portal/anna",
    operator_access_key_id="ASIAOPERATOR",
    venue="unity-dev",
    role_arn="arn:aws:iam::111122223333:role/unity-unity-dev-sts",
    recipient="alice",
    role_session_name="alice-20261120T120000Z-3f9c21ab",
    access_key_id="ASIAEXAMPLE",
    expires=NOON + timedelta(hours=1),
    scope="read-only",
    reason="a line\nbreak, ünïcode",
    delivery="age",
    key_fingerprints=("SHA256:abc",),
)


def a_record(**changes: Any) -> Record:
    return replace(ISSUE, **changes)


def a_chain(count: int) -> list[Line]:
    """The lines of a ledger of so many records, a minute apart."""
    lines, end = [], End()
    for number in range(count):
        text, end = link(a_record(when=NOON + timedelta(minutes=number), recipient=f"user{number + 1}"), end)
        lines.append(Line(f"line {number + 1}", text))
    return lines

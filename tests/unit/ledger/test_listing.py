"""What the ledger's records tell of the tokens that are out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.unit.ledger.records import NOON, a_record
from venue_access.errors import UsageError
from venue_access.ledger.chain import Kind, Record
from venue_access.ledger.listing import listed, since, table

ALICE = a_record()
BOB = a_record(recipient="bob", role_session_name="bob-20261120T120500Z-0a0b0c0d", when=NOON + timedelta(minutes=5))
LATER = NOON + timedelta(minutes=30)


def revocation(scope: str, **changes: object) -> Record:
    usual = {"recipient": None, "role_session_name": None, "policy": "P", "when": NOON + timedelta(minutes=10)}
    return a_record(kind=Kind.REVOCATION, revokes=scope, **{**usual, **changes})


def states(*records: Record, now: datetime = LATER) -> dict[str | None, str]:
    return {token.record.recipient: token.state for token in listed([ALICE, BOB, *records], now)}


def test_token_is_live_until_it_expires() -> None:
    assert states() == {"alice": "live", "bob": "live"}
    assert states(now=NOON + timedelta(hours=1)) == {"alice": "expired", "bob": "expired"}


def test_token_is_revoked_until_the_revocation_is_undone() -> None:
    one = revocation("session", role_session_name=ALICE.role_session_name)
    assert states(one) == {"alice": "revoked", "bob": "live"}
    assert states(one, revocation("undo", when=LATER)) == {"alice": "live", "bob": "live"}


def test_user_and_all_revocations_cover_earlier_tokens() -> None:
    assert states(revocation("user", recipient="bob", issued_before=LATER)) == {"alice": "live", "bob": "revoked"}
    assert states(revocation("all", issued_before=BOB.when)) == {"alice": "revoked", "bob": "live"}
    elsewhere = revocation("all", issued_before=LATER, role_arn="arn:aws:iam::111122223333:role/other")
    assert states(elsewhere) == {"alice": "live", "bob": "live"}


def test_filters() -> None:
    expired = a_record(recipient="carol", expires=NOON)
    refused = a_record(kind=Kind.REFUSAL, recipient="mallory")

    def names(**wanted: Any) -> list[str | None]:
        return [token.record.recipient for token in listed([BOB, ALICE, expired, refused], LATER, **wanted)]

    assert names() == ["alice", "carol", "bob"]
    assert names(live=True) == ["alice", "bob"]
    assert names(recipients={"bob", "nobody"}) == ["bob"]
    assert names(since=BOB.when) == ["bob"]
    assert names(venue="sounder-dev") == []


def test_delivery_is_listed_with_its_token() -> None:
    delivery = a_record(kind=Kind.DELIVERY, when=LATER)
    [alice, _] = listed([ALICE, BOB, delivery], LATER)
    assert alice.document()["delivered"] == "2026-11-20T12:30:00Z"
    assert alice.document()["state"] == "live"
    assert alice.document()["recipient"] == "alice"


def test_table_is_aligned() -> None:
    headings, *rows = table(listed([ALICE, BOB], LATER))
    assert headings.split("  ")[0] == "ISSUED (UTC)"
    assert {row.index("live") for row in rows} == {headings.index("STATE")}


def test_forged_record_adds_no_row() -> None:
    forged = a_record(recipient="mallory\n2026-11-20 12:00  2026-11-20 13:00  live", operator="a:b\x1b[2J")
    _, *rows = table(listed([], LATER, unverified=[forged]))
    assert len(rows) == 1
    assert "\n" not in rows[0]
    assert "mallory\\n2026" in rows[0]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("7d", LATER - timedelta(days=7)),
        ("12h", LATER - timedelta(hours=12)),
        ("30m", NOON),
        ("1d12h", LATER - timedelta(days=1, hours=12)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=timezone.utc)),
        ("2026-11-20T12:00:00Z", NOON),
    ],
)
def test_since_accepts_duration_or_day(text: str, meant: datetime) -> None:
    assert since(text, LATER) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "7", "2026", "-1d", "2026-13-01", "7 d"])
def test_since_refuses_anything_else(text: str) -> None:
    with pytest.raises(UsageError, match="is neither a duration nor a day"):
        since(text, LATER)


def test_unverified_records_mark_tokens_and_revoke_nothing() -> None:
    forged = [
        a_record(recipient="mallory", expires=NOON),
        revocation("all", issued_before=LATER),
        a_record(kind=Kind.DELIVERY, when=LATER),
    ]
    for live in (False, True):
        found = listed([ALICE, BOB], LATER, unverified=forged, live=live)
        assert {token.record.recipient: token.state for token in found} == {
            "alice": "live",
            "bob": "live",
            "mallory": "unverified",
        }
        assert {token.delivered for token in found} == {None}


def test_proofs_are_listed_on_request() -> None:
    names = ("venue-access-verify-20261120T120000Z-aaaaaaaa", "venue-access-verify-20261120T120000Z-bbbbbbbb")
    usual = {"recipient": None, "role_session_name": None, "access_key_id": None, "command": "verify"}
    proof = a_record(kind=Kind.PROOF, proof_session_names=names, proof_access_key_ids=("ASIAONE", "ASIATWO"), **usual)
    assert Record.of(proof.document()) == proof
    assert [token.record.recipient for token in listed([ALICE, proof], LATER)] == ["alice"]
    found = listed([proof, revocation("session", role_session_name=names[0])], LATER, proofs=True)
    assert [(token.record.role_session_name, token.state) for token in found] == [
        (names[0], "revoked"),
        (names[1], "live"),
    ]
    assert "(proof: verify)" in table(found)[1]
    assert found[0].document()["proof_access_key_ids"] == ["ASIAONE", "ASIATWO"]

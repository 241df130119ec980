"""Records of the ledger and the one text that each has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.records import ISSUE, a_record
from venue_access.ledger.chain import Kind, Record, canonical
from venue_access.sensitive import ExternalId, Secret


def test_record_document() -> None:
    assert ISSUE.document() == {
        "kind": "issue",
        "when": "2026-11-20T12:00:00Z",
        "operator": "arn:aws:sts::111122223333:assumed-role/portal/anna",
        "operator_access_key_id": "ASIAOPERATOR",
        "venue": "unity-dev",
        "role_arn": "arn:aws:iam::111122223333:role/unity-unity-dev-sts",
        "recipient": "alice",
        "role_session_name": "alice-20261120T120000Z-3f9c21ab",
        "access_key_id": "ASIAEXAMPLE",
        "expires": "2026-11-20T13:00:00Z",
        "scope": "read-only",
        "reason": "a line\nbreak, ünïcode",
        "delivery": "age",
        "key_fingerprints": ["SHA256:abc"],
    }


@pytest.mark.parametrize(
    "record",
    [
        ISSUE,
        a_record(kind=Kind.REFUSAL, error="AccessDenied", access_key_id=None, expires=None, scope=None),
        a_record(kind=Kind.EXTERNAL_ID, parameter_version=3),
        a_record(kind=Kind.REVOCATION, revokes="user", policy="venue-access-revoke-x", issued_before=ISSUE.when),
        a_record(kind=Kind.ROTATION, stage="stable"),
        a_record(kind=Kind.DELIVERY),
    ],
)
def test_record_round_trip(record: Record) -> None:
    assert Record.of(json.loads(canonical(record.document()))) == record


def test_keys_of_a_later_version_are_ignored() -> None:
    assert Record.of({**ISSUE.document(), "weather": "fine"}) == ISSUE


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "tea"},
        {**ISSUE.document(), "when": "yesterday"},
        {**ISSUE.document(), "when": None},
        {**ISSUE.document(), "operator": 5},
        {**ISSUE.document(), "operator": None},
        {**ISSUE.document(), "recipient": ["alice"]},
        {**ISSUE.document(), "parameter_version": "1"},
        {**ISSUE.document(), "proof_session_names": [1]},
        {**ISSUE.document(), "reason": []},
    ],
)
def test_malformed_record_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Record.of(document)


@pytest.mark.parametrize("secret", [Secret("hunter2"), ExternalId("va.hunter2")])
def test_sensitive_value_cannot_be_written(secret: Any) -> None:
    with pytest.raises(TypeError):
        canonical(replace(ISSUE, reason=secret).document())


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_canonical_text_is_one_line(document: dict[str, object]) -> None:
    text = canonical(document)
    assert text.isascii()
    assert text.isprintable()
    assert canonical(dict(reversed(document.items()))) == text
    assert json.loads(text) == document

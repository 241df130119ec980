"""The ledger of issued tokens."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timezone
from pathlib import Path

import pytest

from venue_access.config import Settings
from venue_access.errors import RequestError
from venue_access.tokens.ledger import Ledger, Receipt

RECEIPT = Receipt(
    issued=datetime(2026, 11, 20, 21, 15, tzinfo=timezone.utc),
    venue="unity-dev",
    role_arn="arn:aws:iam::111122223333:role/unity-unity-dev-sts",
    recipient="alice",
    role_session_name="alice-20261120T211500Z-3f9c21ab",
    access_key_id="ASIAEXAMPLE",
    expires=datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc),
    reason="a line\nbreak",
)


def settings(tmp_path: Path) -> Settings:
    return Settings(inventory=tmp_path, work_directory=tmp_path / "work", root=tmp_path)


def test_each_token_is_one_line(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    ledger.record(RECEIPT)
    ledger.record(RECEIPT)
    path = tmp_path / "work" / "ledger.jsonl"
    one, other = path.read_text().splitlines()
    assert one == other
    assert json.loads(one) == {
        "issued": "2026-11-20T21:15:00Z",
        "venue": "unity-dev",
        "role_arn": "arn:aws:iam::111122223333:role/unity-unity-dev-sts",
        "recipient": "alice",
        "role_session_name": "alice-20261120T211500Z-3f9c21ab",
        "access_key_id": "ASIAEXAMPLE",
        "expires": "2026-11-20T22:15:00Z",
        "reason": "a line\nbreak",
        "narrowing": None,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_ledger_that_cannot_be_written_is_refused_before_there_is_a_token(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "ledger.jsonl").mkdir()
    with pytest.raises(RequestError, match=r"cannot write .*ledger\.jsonl"):
        Ledger(settings(tmp_path))

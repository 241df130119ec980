"""What is read of whole ledgers, and what is said of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.unit.ledger.records import ISSUE, a_record
from venue_access.config import Settings
from venue_access.errors import CheckFailed
from venue_access.ledger.book import StoredLedger
from venue_access.ledger.chain import canonical, link
from venue_access.ledger.local import LocalLedger
from venue_access.ledger.verify import head, read_ledgers, verify


@pytest.fixture
def kept(tmp_path: Path) -> list[StoredLedger]:
    ledger = LocalLedger(Settings(inventory=tmp_path, work_directory=tmp_path / "work", root=tmp_path))
    for user in ("alice", "bob", "carol"):
        ledger.append(a_record(recipient=user))
    return [StoredLedger(ledger, ("unity-dev",))]


def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "ledger.jsonl"


def test_intact_ledger_has_no_warnings(kept: list[StoredLedger]) -> None:
    reading = read_ledgers(kept)
    assert ([each.recipient for each in reading.records], reading.unverified, reading.warnings) == (
        ["alice", "bob", "carol"],
        [],
        [],
    )
    assert verify(kept).notes == []


def test_forged_last_record_is_unverified(kept: list[StoredLedger], tmp_path: Path) -> None:
    last = json.loads(path(tmp_path).read_text().splitlines()[-1])
    forged = LocalLedger(Settings(inventory=tmp_path, work_directory=tmp_path / "other", root=tmp_path))
    for number in range(last["number"] + 1):
        forged.append(a_record(recipient=f"mallory{number}"))
    with path(tmp_path).open("a") as file:
        file.write((tmp_path / "other" / "ledger.jsonl").read_text().splitlines(keepends=True)[-1])
    reading = read_ledgers(kept)
    assert [each.recipient for each in reading.unverified] == ["carol", "mallory3"]
    [warning] = reading.warnings
    assert "line 3 (record 3: issue, " in warning
    assert "or line 4 was inserted" in warning
    with pytest.raises(CheckFailed, match="line 4 "):
        head(kept)
    with pytest.raises(CheckFailed, match=r"mv .*ledger\.jsonl") as raised:
        verify(kept)
    assert "line 4 was inserted" in str(raised.value)


def test_record_of_a_later_version_is_a_warning(kept: list[StoredLedger], tmp_path: Path) -> None:
    end = kept[0].store.end()
    document = {**json.loads(link(ISSUE, end)[0]), "kind": "tea"}
    document.pop("hash")
    document["hash"] = hashlib.sha256(canonical(document).encode()).hexdigest()
    with path(tmp_path).open("a") as file:
        file.write(canonical(document) + "\n")
    reading = read_ledgers(kept)
    assert len(reading.records) == 3
    [warning] = reading.warnings
    assert "line 4 (record 4: tea, " in warning
    assert warning.endswith("is of a later version")

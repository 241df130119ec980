"""The ledger in a file: whole lines, one after the other, on the disk before anything else happens."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.ledger.records import ISSUE, a_record
from venue_access.config import Settings
from venue_access.errors import RequestError
from venue_access.ledger.chain import faults, read_all
from venue_access.ledger.local import LocalLedger


def settings(tmp_path: Path) -> Settings:
    return Settings(inventory=tmp_path, work_directory=tmp_path / "work", root=tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> LocalLedger:
    ledger = LocalLedger(settings(tmp_path))
    assert ledger.last() is None
    return ledger


def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "ledger.jsonl"


def whole(ledger: LocalLedger) -> int:
    """How many records there are, having seen that nothing is wrong with them."""
    entries = read_all(ledger.lines())
    assert faults(entries) == []
    assert all(entry.record() is not None for entry in entries)
    return len(entries)


def test_each_record_is_a_line_that_only_its_owner_reads(ledger: LocalLedger, tmp_path: Path) -> None:
    ledger.append(ISSUE)
    ledger.append(a_record(recipient="bob"))
    assert whole(ledger) == 2
    assert path(tmp_path).read_text().count("\n") == 2
    assert stat.S_IMODE(path(tmp_path).stat().st_mode) == 0o600
    assert [entry.document["recipient"] for entry in read_all(ledger.lines())] == ["alice", "bob"]


def test_a_record_is_on_the_disk_when_it_is_entered(
    ledger: LocalLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(path(tmp_path).read_text().count("\n")))
    ledger.append(ISSUE)
    assert flushed[0] == 1


@pytest.mark.parametrize("torn", ['{"access_key', "\0" * 5000, "x" * 20_000])
def test_what_a_crash_left_of_a_line_is_taken_away_by_the_next(ledger: LocalLedger, tmp_path: Path, torn: str) -> None:
    ledger.append(ISSUE)
    with path(tmp_path).open("a") as file:
        file.write(torn)
    assert whole(ledger) == 1
    assert ledger.last() is not None
    ledger.append(ISSUE)
    assert whole(ledger) == 2


def test_only_a_torn_line_is_an_empty_ledger(ledger: LocalLedger, tmp_path: Path) -> None:
    path(tmp_path).write_text('{"torn')
    ledger.append(ISSUE)
    assert whole(ledger) == 1


def test_a_disk_that_is_full_leaves_the_ledger_as_it_was(
    ledger: LocalLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append(ISSUE)
    before = path(tmp_path).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RequestError, match="no space left"):
            ledger.append(ISSUE)
    assert path(tmp_path).read_bytes() == before


def test_nothing_is_added_after_a_record_that_was_changed(ledger: LocalLedger, tmp_path: Path) -> None:
    ledger.append(ISSUE)
    path(tmp_path).write_text(path(tmp_path).read_text().replace("alice", "mallory", 1))
    for act in (ledger.last, lambda: ledger.append(ISSUE)):
        with pytest.raises(RequestError, match="its last record was changed") as raised:
            act()
        assert "ledger.verify" in str(raised.value)


def test_a_ledger_that_cannot_be_written_is_refused_before_there_is_a_token(tmp_path: Path) -> None:
    path(tmp_path).mkdir(parents=True)
    with pytest.raises(RequestError, match=r"cannot write .*ledger\.jsonl"):
        LocalLedger(settings(tmp_path)).last()


def test_a_symbolic_link_is_not_followed(ledger: LocalLedger, tmp_path: Path) -> None:
    path(tmp_path).unlink()
    path(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RequestError):
        ledger.append(ISSUE)
    assert not (tmp_path / "elsewhere").exists()


def test_long_records_are_found_from_the_end(ledger: LocalLedger) -> None:
    for length in (1, 8_191, 8_192, 8_193, 50_000):
        ledger.append(a_record(reason="x" * length))
    assert whole(ledger) == 5


def test_a_file_that_is_moved_away_begins_a_new_ledger(ledger: LocalLedger, tmp_path: Path) -> None:
    ledger.append(ISSUE)
    path(tmp_path).rename(tmp_path / "kept.jsonl")
    ledger.append(ISSUE)
    assert whole(ledger) == 1


WRITER = """
import sys
from pathlib import Path
from tests.unit.ledger.records import a_record
from venue_access.config import Settings
from venue_access.ledger.local import LocalLedger

folder = Path(sys.argv[1])
ledger = LocalLedger(Settings(inventory=folder, work_directory=folder / "work", root=folder))
for number in range(1000):
    ledger.append(a_record(recipient=f"{sys.argv[2]}.{number}"))
    print(f"{sys.argv[2]}.{number}", flush=True)
"""


def test_of_many_writers_that_are_killed_nothing_that_was_told_is_lost(tmp_path: Path) -> None:
    checkout = Path(__file__).resolve().parents[3]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), f"w{number}"],
            cwd=checkout,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    told = []
    for number, writer in enumerate(writers):
        assert writer.stdout is not None
        for _ in range(10 + number):
            told.append(writer.stdout.readline().strip())
        writer.kill()
        told += writer.communicate()[0].split("\n")[:-1]
    ledger = LocalLedger(settings(tmp_path))
    ledger.append(ISSUE)
    assert whole(ledger) > len(told) >= 46
    assert set(told) <= {entry.document["recipient"] for entry in read_all(ledger.lines())}

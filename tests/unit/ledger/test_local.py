"""The ledger in a file: whole lines, one after the other, on the disk before anything else happens."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.ledger.records import ISSUE, a_record
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.ledger.chain import End, read_all
from venue_access.ledger.local import LocalLedger
from venue_access.ledger.verify import examine


def settings(tmp_path: Path) -> Settings:
    return Settings(inventory=tmp_path, work_directory=tmp_path / "work", root=tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> LocalLedger:
    ledger = LocalLedger(settings(tmp_path))
    assert ledger.prepare() == (End(), True)
    return ledger


def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "ledger.jsonl"


def whole(ledger: LocalLedger) -> int:
    """How many records there are, having seen that nothing is wrong with them."""
    entries = read_all(ledger.lines())
    assert examine(entries).faults == []
    assert all(entry.record() is not None for entry in entries)
    return len(entries)


def test_record_is_a_line_in_a_private_file(ledger: LocalLedger, tmp_path: Path) -> None:
    ledger.append(ISSUE)
    ledger.append(a_record(recipient="bob"))
    assert whole(ledger) == 2
    assert path(tmp_path).read_text().count("\n") == 2
    assert stat.S_IMODE(path(tmp_path).stat().st_mode) == 0o600
    assert [entry.document["recipient"] for entry in read_all(ledger.lines())] == ["alice", "bob"]


def test_append_syncs_to_disk(ledger: LocalLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(path(tmp_path).read_text().count("\n")))
    ledger.append(ISSUE)
    assert flushed[0] == 1


@pytest.mark.parametrize("torn", ['{"access_key', "\0" * 5000, "x" * 20_000])
def test_incomplete_line_is_replaced_by_next_record(ledger: LocalLedger, tmp_path: Path, torn: str) -> None:
    ledger.append(ISSUE)
    with path(tmp_path).open("a") as file:
        file.write(torn)
    assert whole(ledger) == 1
    assert ledger.prepare()[0].number == 1
    ledger.append(ISSUE)
    assert whole(ledger) == 2


def test_only_an_incomplete_line_is_an_empty_ledger(ledger: LocalLedger, tmp_path: Path) -> None:
    path(tmp_path).write_text('{"torn')
    ledger.append(ISSUE)
    assert whole(ledger) == 1


def test_full_disk_leaves_the_ledger_unchanged(
    ledger: LocalLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append(ISSUE)
    before = path(tmp_path).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="no space left"):
            ledger.append(ISSUE)
    assert path(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace("bob", "mallory"), "line 2 (record 2: issue, "),
        (lambda text: text + "garbage\n", "line 3 is not a record"),
        (lambda text: text + "\0" * 100_000 + "\n", "line 3 is not a record"),
        (lambda text: text + text.splitlines()[0].replace("alice", "eve") + "\n", "line 3 (record 1: issue, "),
        (lambda text: text + "{}\n" * 30, "line 32 is not a record"),
        (lambda text: "garbage\n", "line 1 is not a record"),
    ],
)
def test_next_record_names_damaged_end(
    ledger: LocalLedger, tmp_path: Path, damage: Callable[[str], str], said: str
) -> None:
    ledger.append(ISSUE)
    ledger.append(a_record(recipient="bob"))
    path(tmp_path).write_text(damage(path(tmp_path).read_text()))
    end, _ = ledger.prepare()
    assert end.damaged
    ledger.append(a_record(recipient="carol"))
    assert ledger.prepare()[0].damaged == ()
    ledger.append(a_record(recipient="dave"))

    entries = read_all(ledger.lines())
    carol, dave = entries[-2:]
    assert carol.document["found"] == [each.fingerprint for each in end.damaged][:16]
    examined = examine(entries)
    assert any(fault.startswith(said) for fault in examined.faults)
    assert not {carol.where, dave.where} & examined.unverified
    assert len(examined.unverified) == len(end.damaged)

    path(tmp_path).write_text(path(tmp_path).read_text().replace("carol", "mallory"))
    assert any(fault.startswith(f"{carol.where} (record ") for fault in examine(read_all(ledger.lines())).faults)


def test_next_record_names_changed_record(ledger: LocalLedger, tmp_path: Path) -> None:
    for name in ("alice", "bob", "carol"):
        ledger.append(a_record(recipient=name))
    path(tmp_path).write_text(path(tmp_path).read_text().replace("bob", "eve"))
    assert [each.where for each in ledger.prepare()[0].damaged] == ["line 2"]
    ledger.append(ISSUE)
    entries = read_all(ledger.lines())
    assert entries[-1].document["found"] == [entries[1].fingerprint]
    assert examine(entries).unverified == {"line 2"}


def test_removed_damage_is_a_note(ledger: LocalLedger, tmp_path: Path) -> None:
    ledger.append(ISSUE)
    with path(tmp_path).open("a") as file:
        file.write("garbage\n")
    ledger.append(ISSUE)
    path(tmp_path).write_text(path(tmp_path).read_text().replace("garbage\n", ""))
    examined = examine(read_all(ledger.lines()))
    assert examined.faults == []
    [note] = examined.notes
    assert "skips damage that has been removed: line 2 sha256:" in note
    ledger.append(ISSUE)
    assert examine(read_all(ledger.lines())).faults == []


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(ledger: LocalLedger, tmp_path: Path) -> Iterator[int]:
    """A process that holds the ledger's lock, and does not end."""
    ledger.append(ISSUE)
    command = [sys.executable, "-c", HOLDER, str(path(tmp_path)), "--external-id", "canary"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


@pytest.mark.parametrize("act", [lambda one: one.prepare(), lambda one: one.append(ISSUE), lambda one: one.lines()])
def test_lock_timeout_names_the_holder(holder: int, tmp_path: Path, act: Callable[[LocalLedger], object]) -> None:
    said: list[str] = []
    with pytest.raises(UsageError, match=r"has held the lock of .*ledger\.jsonl for more than 2 s") as raised:
        act(LocalLedger(settings(tmp_path), timeout=1.5, say=said.append))
    assert said == [f"waiting for another process to write {path(tmp_path)}"]
    assert raised.value.exit_code == 2
    assert "canary" not in str(raised.value)
    if Path("/proc/locks").exists():  # macOS has none, and lsof is named
        assert f"process {holder} has held" in str(raised.value)
        assert f"ps -o pid,stat,etime,comm -p {holder}" in str(raised.value)


def test_threads_append_concurrently(ledger: LocalLedger, tmp_path: Path) -> None:
    def write(number: int) -> None:
        own = ledger if number % 2 else LocalLedger(settings(tmp_path))
        for each in range(10):
            own.append(a_record(recipient=f"{number}.{each}"))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    assert whole(ledger) == 160


def test_unwritable_ledger_is_refused_by_prepare(tmp_path: Path) -> None:
    path(tmp_path).mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot write .*ledger\.jsonl"):
        LocalLedger(settings(tmp_path)).prepare()


def test_symbolic_link_is_not_followed(ledger: LocalLedger, tmp_path: Path) -> None:
    path(tmp_path).unlink()
    path(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        ledger.append(ISSUE)
    assert not (tmp_path / "elsewhere").exists()


def test_long_records_are_read_from_the_end(ledger: LocalLedger) -> None:
    for length in (1, 8_191, 8_192, 8_193, 50_000):
        ledger.append(a_record(reason="x" * length))
    assert whole(ledger) == 5


def test_moved_file_begins_a_new_ledger(ledger: LocalLedger, tmp_path: Path) -> None:
    ledger.append(ISSUE)
    path(tmp_path).rename(tmp_path / "kept.jsonl")
    ledger.append(ISSUE)
    assert whole(ledger) == 1


WRITER = """
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


def test_killed_writers_lose_no_confirmed_record(tmp_path: Path) -> None:
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

"""The kit's own files: private from birth, replaced whole, locked by one at a time."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from venue_access import files
from venue_access.errors import UsageError
from venue_access.files import locked, private_directory, take_lock, write_private, write_private_if_changed
from venue_access.jsonl import WholeLines, append_private, look_at_lines, read_lines


@pytest.fixture(autouse=True)
def _lax_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def always(line: str) -> Callable[[WholeLines], str]:
    """The same line, whatever stands before it."""
    return lambda lines: line


def last_line(path: Path) -> str | None:
    """The last line of a file that lines can be added to."""
    return look_at_lines(path, lambda lines: next(iter(lines.last(1)), None))


def full_disk(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_and_its_missing_parents_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "a" / "b")
    assert [mode(made), mode(made.parent)] == [0o700, 0o700]


def test_a_folder_where_a_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*/b: not a directory"):
        private_directory(tmp_path / "a" / "b")


def test_a_file_is_private_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", look)
    write_private(tmp_path / "secret", "text")
    append_private(tmp_path / "ledger", always("line"))
    assert seen == [0o600, 0o600, 0o700]  # the last is the folder, which has a new name in it
    assert (tmp_path / "secret").read_text() == "text"


def test_a_file_that_others_could_read_is_replaced_by_one_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_a_symbolic_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    path = tmp_path / "secret"
    path.symlink_to(elsewhere)
    assert write_private_if_changed(path, "theirs")
    assert not path.is_symlink()
    write_private(path, "mine")
    assert elsewhere.read_text() == "theirs"


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    write_private(path, "old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match=r"cannot write .*secret: no space left"):
        write_private(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["secret"]


def test_a_file_that_holds_the_text_already_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_private_if_changed(path, "text")
    before = path.stat().st_ino
    assert not write_private_if_changed(path, "text")
    assert path.stat().st_ino == before


def test_lines_are_added_to_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    append_private(path, always("one"))
    append_private(path, lambda lines: f"two after {lines.last(1)[0]}")
    assert (path.read_text(), mode(path)) == ("one\ntwo after one\n", 0o600)
    assert read_lines(path) == ["one", "two after one"]
    assert last_line(path) == "two after one"


def test_a_line_without_its_end_is_none(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("one\ntw")
    assert read_lines(path) == ["one"]
    assert last_line(path) == "one"
    append_private(path, lambda lines: f"two after {lines.last(1)[0]}")
    assert path.read_text() == "one\ntwo after one\n"


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "ledger") == []
    assert last_line(tmp_path / "ledger") is None


def test_a_pipe_in_the_place_of_lines_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger")
    with pytest.raises(UsageError, match="it is no file"):
        read_lines(tmp_path / "ledger")


def test_a_line_that_could_not_be_added_whole_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger"
    append_private(path, always("one"))
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match="no space left"):
        append_private(path, always("two"))
    assert path.read_text() == "one\n"


def test_lines_are_not_added_through_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "ledger").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot write"):
        append_private(tmp_path / "ledger", always("line"))
    with pytest.raises(UsageError, match="cannot write"):
        last_line(tmp_path / "ledger")
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_file_that_lines_can_be_added_to_is_left_as_it_is(tmp_path: Path) -> None:
    last_line(tmp_path / "ledger")
    append_private(tmp_path / "ledger", always("one"))
    last_line(tmp_path / "ledger")
    assert (tmp_path / "ledger").read_text() == "one\n"


def test_a_lock_is_held_by_one_and_the_next_gets_it_afterwards(tmp_path: Path) -> None:
    order: list[str] = []
    began, waited = threading.Event(), threading.Event()

    def second() -> None:
        began.wait()
        with locked(tmp_path / "lock", timeout=10, waiting=waited.set):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with locked(tmp_path / "lock", timeout=1):
        began.set()
        assert waited.wait(10)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert mode(tmp_path / "lock") == 0o600


def test_waiting_for_a_lock_ends_and_says_who_to_look_for(tmp_path: Path) -> None:
    times = iter([0.0, 0.5, 2.0])
    with (
        locked(tmp_path / "lock", timeout=1),
        pytest.raises(UsageError, match=r"this process has held the lock of .*lock for more than 1 s"),
        locked(tmp_path / "lock", timeout=1, clock=lambda: next(times), sleep=lambda pause: None),
    ):
        pytest.fail("it was got twice")


def test_a_wait_for_a_lock_is_told_once_it_lasts(tmp_path: Path) -> None:
    told: list[float] = []
    times = iter([0.0, 0.5, 1.5, 3.0, 9.0])
    now = [0.0]

    def clock() -> float:
        now[0] = next(times)
        return now[0]

    with (
        locked(tmp_path / "lock", timeout=1),
        (tmp_path / "lock").open("a") as file,
        pytest.raises(UsageError, match="for more than 5 s"),
    ):
        take_lock(
            file.fileno(),
            tmp_path / "lock",
            timeout=5,
            quiet=1.0,
            waiting=lambda: told.append(now[0]),
            clock=clock,
            sleep=lambda pause: None,
        )
    assert told == [1.5]


def test_a_lock_in_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"), locked(tmp_path / "no" / "lock", timeout=1):
        pytest.fail("it was got")


def test_an_error_names_the_way_to_another_work_directory(tmp_path: Path) -> None:
    error = files.unwritable(tmp_path, OSError(errno.EROFS, "Read-only file system"))
    assert "INVOKE_WORKDIR" in str(error)
    assert "read-only file system" in str(error)


def test_a_folder_that_somebody_else_may_write_in_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="is writable by group or others") as raised:
        private_directory(folder)
    assert raised.value.hint == f"restrict it: chmod go-w {folder}"
    folder.chmod(0o755)
    assert private_directory(folder) == folder

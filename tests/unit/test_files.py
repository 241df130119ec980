"""Private files: mode 0600 from their creation, replaced atomically, locked."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from venue_access import files
from venue_access.errors import UsageError
from venue_access.files import locked, private_directory, take_lock, write_private, write_private_if_changed
from venue_access.ledger.local import open_locked, read_lines


@pytest.fixture(autouse=True)
def _lax_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def append(path: Path, text: str) -> None:
    with open_locked(path) as lines:
        lines.append(text.format(*lines.last(1)))


def last_line(path: Path) -> str | None:
    """Return the last line of a file, after checking that lines can be appended."""
    with open_locked(path) as lines:
        lines.check_free_space()
        return next(iter(lines.last(1)), None)


def full_disk(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_private_directory_creates_parents_with_mode_0700(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "a" / "b")
    assert [mode(made), mode(made.parent)] == [0o700, 0o700]


def test_private_directory_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*/b: not a directory"):
        private_directory(tmp_path / "a" / "b")


def test_file_is_private_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", look)
    write_private(tmp_path / "secret", "text")
    append(tmp_path / "ledger", "line")
    assert seen == [0o600, 0o600, 0o700]  # the last is the folder, which has a new name in it
    assert (tmp_path / "secret").read_text() == "text"


def test_readable_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    path = tmp_path / "secret"
    path.symlink_to(elsewhere)
    assert write_private_if_changed(path, "theirs")
    assert not path.is_symlink()
    write_private(path, "mine")
    assert elsewhere.read_text() == "theirs"


def test_full_disk_leaves_the_old_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    write_private(path, "old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match=r"cannot write .*secret: no space left"):
        write_private(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["secret"]


def test_unchanged_file_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_private_if_changed(path, "text")
    before = path.stat().st_ino
    assert not write_private_if_changed(path, "text")
    assert path.stat().st_ino == before


def test_lines_are_appended_to_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    append(path, "one")
    append(path, "two after {}")
    assert (path.read_text(), mode(path)) == ("one\ntwo after one\n", 0o600)
    assert read_lines(path) == ["one", "two after one"]
    assert last_line(path) == "two after one"


def test_incomplete_line_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("one\ntw")
    assert read_lines(path) == ["one"]
    assert last_line(path) == "one"
    append(path, "two after {}")
    assert path.read_text() == "one\ntwo after one\n"


def test_absent_file_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "ledger") == []
    assert last_line(tmp_path / "ledger") is None


def test_pipe_is_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger")
    with pytest.raises(UsageError, match="not a regular file"):
        read_lines(tmp_path / "ledger")


def test_failed_append_leaves_the_file_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger"
    append(path, "one")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match="no space left"):
        append(path, "two")
    assert path.read_text() == "one\n"


def test_lines_are_not_appended_through_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "ledger").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot write"):
        append(tmp_path / "ledger", "line")
    with pytest.raises(UsageError, match="cannot write"):
        last_line(tmp_path / "ledger")
    assert (tmp_path / "elsewhere").read_text() == ""


def test_free_space_check_leaves_the_file_unchanged(tmp_path: Path) -> None:
    last_line(tmp_path / "ledger")
    append(tmp_path / "ledger", "one")
    last_line(tmp_path / "ledger")
    assert (tmp_path / "ledger").read_text() == "one\n"


def test_lock_is_exclusive_and_released(tmp_path: Path) -> None:
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


def test_lock_timeout_names_the_holder(tmp_path: Path) -> None:
    times = iter([0.0, 0.5, 2.0])
    with (
        locked(tmp_path / "lock", timeout=1),
        pytest.raises(UsageError, match=r"this process has held the lock of .*lock for more than 1 s"),
        locked(tmp_path / "lock", timeout=1, clock=lambda: next(times), sleep=lambda pause: None),
    ):
        pytest.fail("it was got twice")


def test_long_wait_for_a_lock_is_reported_once(tmp_path: Path) -> None:
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


def test_lock_in_an_absent_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"), locked(tmp_path / "no" / "lock", timeout=1):
        pytest.fail("it was got")


def test_error_names_the_setting_of_the_work_directory(tmp_path: Path) -> None:
    error = files.unwritable(tmp_path, OSError(errno.EROFS, "Read-only file system"))
    assert "INVOKE_WORKDIR" in str(error)
    assert "read-only file system" in str(error)


def test_folder_writable_by_others_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="is writable by group or others") as raised:
        private_directory(folder)
    assert raised.value.hint == f"restrict it: chmod go-w {folder}"
    folder.chmod(0o755)
    assert private_directory(folder) == folder

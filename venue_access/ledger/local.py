"""The ledger of this machine: a file of JSON lines, mode 0600, to which several processes append."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from shlex import quote

from venue_access import console
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import flush_folder, take_lock, unwritable
from venue_access.ledger.chain import End, Line, Record, end_of, link, read_all

LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process that holds the file's lock."""
_QUIET = 1.0  # seconds before a wait is reported: with many writers, each waits for a moment
_BLOCK = 8_192  # bytes
_FREE_SPACE = 65_536  # bytes, enough for dozens of records


class LocalLedger:
    """The file ``ledger.jsonl`` of the work directory.

    :param timeout: seconds to wait for another process that writes it.
    :param say: prints a message when a wait begins.
    """

    def __init__(
        self, settings: Settings, *, timeout: float = LOCK_TIMEOUT, say: Callable[[str], None] = console.say
    ) -> None:
        self._settings = settings
        self._path = settings.work_directory / "ledger.jsonl"
        self._timeout = timeout
        self._say = say
        self._said = False
        self.name = str(self._path)
        path = quote(self.name)
        self.remedy = f"keep the file for the investigation; to begin a new ledger, move it: mv {path} {path}.damaged"

    def prepare(self) -> tuple[End, bool]:
        self._settings.folder()
        with open_locked(self._path, timeout=self._timeout, waiting=self._waiting) as lines:
            lines.check_free_space()  # which is conclusive for a file
            return _end(lines), True

    def end(self) -> End:
        return end_of(read_all(self.lines()))

    def append(self, record: Record) -> End:
        self._settings.folder()
        with open_locked(self._path, timeout=self._timeout, waiting=self._waiting) as lines:
            end = _end(lines)
            lines.append(link(record, end)[0])
            return end

    def lines(self) -> list[Line]:
        return _numbered(read_lines(self._path, timeout=self._timeout, waiting=self._waiting))

    def foreign_objects(self) -> list[str]:
        return []

    def _waiting(self) -> None:
        if not self._said:
            self._said = True
            self._say(f"waiting for another process to write {self._path}")


def _end(lines: WholeLines) -> End:
    end = end_of(read_all(_numbered(lines.last(2))))
    return end_of(read_all(_numbered(lines.last()))) if end.damaged else end


def _numbered(lines: Sequence[str]) -> list[Line]:
    return [Line(f"line {number}", text) for number, text in enumerate(lines, 1)]


class WholeLines:
    """The lines of a locked file, without an incomplete last line, which a crash may leave."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file = file
        self._folder = path.parent
        self._length = self._line_feed_before(file.seek(0, os.SEEK_END)) + 1  # bytes

    def last(self, count: int | None = None) -> list[str]:
        """Return the last ``count`` lines; all if there are fewer, or if no count is given."""
        start = 0 if count is None else self._length
        for _ in range(count or 0):
            start = self._line_feed_before(start - 1) + 1
        lines = self._read(start, self._length).split(b"\n")[:-1]
        return [line.decode(errors="replace") for line in lines]

    def append(self, text: str) -> None:
        """Append a line in place of an incomplete one; it is on the disk when this returns.

        :raises OSError: it cannot be written; the whole lines are unchanged.
        """
        descriptor, content = self._file.fileno(), text.encode() + b"\n"
        try:
            os.ftruncate(descriptor, self._length)
            self._file.seek(self._length)
            while content:
                content = content[self._file.write(content) :]
            os.fsync(descriptor)
            if self._length == 0:  # the file may be new
                flush_folder(self._folder)
        except OSError:
            os.ftruncate(descriptor, self._length)
            raise

    def check_free_space(self) -> None:
        """Check that lines can be appended, by allocating disk space for a moment.

        :raises OSError: the disk is full.
        """
        if hasattr(os, "posix_fallocate"):  # macOS has none
            end = self._file.seek(0, os.SEEK_END)
            try:
                os.posix_fallocate(self._file.fileno(), end, _FREE_SPACE)
            finally:
                os.ftruncate(self._file.fileno(), end)

    def _line_feed_before(self, end: int) -> int:
        """Return the position of the last line feed before ``end``, or -1."""
        while end > 0:
            start = max(0, end - _BLOCK)
            found = self._read(start, end).rfind(b"\n")
            if found >= 0:
                return start + found
            end = start
        return -1

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        content = b""
        while len(content) < end - start and (more := self._file.read(end - start - len(content))):
            content += more
        return content


@contextmanager
def open_locked(
    path: Path, *, timeout: float = LOCK_TIMEOUT, waiting: Callable[[], None] = lambda: None
) -> Iterator[WholeLines]:
    """Hold the exclusive lock of a file of lines, and create the file if it does not exist.

    :param waiting: called once if another process holds the lock for more than a second.
    :raises UsageError: the file cannot be written, or another process holds the lock.
    """
    is_current = False
    try:
        while not is_current:  # if the file was replaced meanwhile, open and lock the new one
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                take_lock(descriptor, path, timeout=timeout, quiet=_QUIET, waiting=waiting)
                is_current = os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.lstat(path))
                if is_current:
                    yield WholeLines(file, path)
    except OSError as error:
        raise unwritable(path, error) from error


def read_lines(path: Path, *, timeout: float = LOCK_TIMEOUT, waiting: Callable[[], None] = lambda: None) -> list[str]:
    """Return the lines of a file that ``open_locked`` created; none if there is no file.

    :raises UsageError: it cannot be read, or another process holds its lock.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # without it, opening a pipe blocks
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            take_lock(descriptor, path, timeout=timeout, shared=True, quiet=_QUIET, waiting=waiting)
            return WholeLines(file, path).last()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
